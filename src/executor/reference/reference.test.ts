import { describe, expect, it } from 'vitest'
import { compileForward } from '../../compile/index.ts'
import { accumulate, input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { add, attention, matmul, mul, repeat, softmax, unary } from '../../ops/index.ts'
import { bf16Copy } from '../../tensor/bf16.ts'
import { f32, i32 } from '../conformance/data.ts'
import { evaluate, runProgram } from '../conformance/step.ts'
import { referenceExecutor } from './index.ts'

const bf16 = referenceExecutor({ precision: 'bf16' })

describe('the reference executor', () => {
  it('says what it is', () => {
    expect(referenceExecutor()).toMatchObject({ name: 'reference', isa: 'typescript', precision: 'f32', threads: 1 })
    expect(bf16.precision).toBe('bf16')
  })

  it('leaves the event loop room between sequences', async () => {
    const { main } = compileForward(trace('t', () => output('y', add(input('x', [1]), 1))))
    let ticks = 0
    const timer = setInterval(() => ticks++, 0)
    await referenceExecutor()
      .compile(main)
      .run({ count: 2000, inputs: { x: new Float32Array(2000) } })
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(0)
  })
})

describe('in bf16', () => {
  const samples = { a: f32([3, 4]), b: f32([3, 4]) }

  /** Whether fn gives the same in bf16 as in f32 on operands that were rounded before. */
  async function roundsOperandsAlone(fn: (a: Tensor, b: Tensor) => Tensor): Promise<void> {
    const { a, b } = await evaluate(samples, (t) => t)
    const rounded = {
      a: f32([3, 4], [...bf16Copy(a as Float32Array)]),
      b: f32([3, 4], [...bf16Copy(b as Float32Array)]),
    }
    const expression = (t: Record<string, Tensor>) => ({ y: fn(t.a, t.b) })
    const got = await evaluate(samples, expression, bf16)
    expect(got).toEqual(await evaluate(rounded, expression))
    expect(got).not.toEqual(await evaluate(samples, expression))
  }

  it('rounds the operands of products', async () => {
    await roundsOperandsAlone((a, b) => matmul(a, b, { transposeB: true }))
    await roundsOperandsAlone((a, b) => matmul(a, b, { transposeA: true }))
  })

  it('rounds the values that attention mixes', async () => {
    // One key: the weight is 1, the result the rounded value.
    const { v, y } = await evaluate(
      { q: f32([1, 4]), v: f32([1, 4]) },
      ({ q, v }) => ({ v, y: attention(q, q, v, { nHeads: 1 }) }),
      bf16,
    )
    expect(y).toEqual(bf16Copy(v as Float32Array))
  })

  it('leaves everything else in f32', async () => {
    const expression = ({ a, b }: Record<string, Tensor>) => ({
      sum: add(a, b),
      product: mul(a, b),
      softmax: softmax(a),
      gelu: unary('gelu', b),
    })
    expect(await evaluate(samples, expression, bf16)).toEqual(await evaluate(samples, expression))
  })
})

describe('loops', () => {
  it('keep the values of iterations apart', async () => {
    const { carry, states } = await evaluate({ x: f32([2], [1, 2]), n: i32([], [3]) }, ({ x, n }) => {
      const { carry, collected } = repeat({ count: 4, carry: { x }, runs: n }, ({ x }) => ({
        carry: { x: add(x, x) },
        collect: { x },
      }))
      return { carry: carry.x, states: collected.x }
    })
    expect([...carry]).toEqual([8, 16])
    expect([...states]).toEqual([1, 2, 2, 4, 4, 8, 0, 0])
  })

  it('sum inside as often as they run, for each sequence', async () => {
    const graph = trace('t', () => {
      repeat({ count: 4, carry: { x: input('x', []) }, runs: input('runs', [], 'i32') }, ({ x }) => {
        accumulate('total', x)
        return { carry: { x: mul(x, parameter('w', [])) } }
      })
    })
    const { sums } = await runProgram(referenceExecutor(), compileForward(graph).main, {
      count: 3,
      parameters: { w: Float32Array.of(2) },
      inputs: { x: Float32Array.of(1, 10, 100), runs: Int32Array.of(0, 2, 9) },
    })
    expect([...sums.total]).toEqual([10 + 20 + 100 + 200 + 400 + 800])
  })
})
