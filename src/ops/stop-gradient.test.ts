import { describe, expect, it } from 'vitest'
import { compileTraining } from '../compile/index.ts'
import { f32 } from '../executor/conformance/data.ts'
import { gradientErrors } from '../executor/conformance/finite-differences.ts'
import { evaluate, runStep } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, parameter, type Tensor, trace } from '../graph/graph.ts'
import { add, mul, stopGradient, sum, unary } from './index.ts'

describe('stopGradient', () => {
  it('changes no value', async () => {
    const { y } = await evaluate({ x: f32([3], [1, -2, 3]) }, ({ x }) => ({ y: stopGradient(x) }))
    expect([...y]).toEqual([1, -2, 3])
  })

  it('lets no gradient through, for tensors of the sequence and for parameters alone', async () => {
    let loss!: Tensor
    const graph = trace('stopped', () => {
      const w = parameter('w', [3])
      const hidden = mul(w, input('x', [3]))
      loss = sum(add(mul(stopGradient(unary('square', w)), hidden), stopGradient(unary('exp', hidden))))
    })
    const [w, x] = [Float32Array.of(1, 2, 3), Float32Array.of(0.5, -1, 2)]
    const { sums } = await runStep(referenceExecutor(), compileTraining(graph, loss), {
      count: 1,
      parameters: { w },
      inputs: { x },
    })
    expect([...sums['grad:w']]).toEqual([0.5, -4, 18]) // w² x, not 3 w² x + …
  })

  it('is what finite differences would notice', async () => {
    const errors = await gradientErrors({ x: f32([4]) }, ({ x }) => mul(x, stopGradient(x)))
    for (const error of Object.values(errors)) expect(error).toBeCloseTo(0.5, 3)
  })
})
