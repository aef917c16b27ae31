import { describe, expect, it } from 'vitest'
import { f32, i32, relativeError } from '../executor/conformance/data.ts'
import { gradientErrors, gradientsOf } from '../executor/conformance/finite-differences.ts'
import { type Loop, loops } from '../executor/conformance/loops.ts'
import { evaluate, runStep } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, output, parameter, type Tensor, trace } from '../graph/graph.ts'
import {
  add,
  concat,
  fill,
  matmul,
  mul,
  repeat,
  reshape,
  stopGradient,
  sum,
  type Tensors,
  takeRow,
  unary,
} from '../ops/index.ts'
import { sizeOf } from '../tensor/type.ts'
import { compileTraining, printProgram } from './index.ts'

/** The loop written out by hand, `runs` times: index i is the input `i`, a slice is a row taken by it. */
function writtenOut(runs = Number.POSITIVE_INFINITY): Loop {
  return ((
    { count, carry, scan = {} }: Parameters<Loop>[0],
    body: (carry: Tensors, at: object) => ReturnType<Parameters<Loop>[1]>,
  ) => {
    const collected: Tensors[] = []
    for (let i = 0; i < Math.min(runs, count); i++) {
      const index = input(`${i}`, [], 'i32')
      const slices = Object.fromEntries(Object.entries(scan).map(([name, stack]) => [name, takeRow(stack, index)]))
      const result = body(carry, { index, slices })
      carry = result.carry
      collected.push(result.collect ?? {})
    }
    const names = Object.keys(collected[0] ?? { next: 0, x: 0 })
    return {
      carry,
      collected: Object.fromEntries(
        names.map((name) => [
          name,
          stack(
            count,
            collected.map((c) => c[name]),
          ),
        ]),
      ),
    }
  }) as unknown as Loop
}

/** Tensors of one shape as a stack of `count`, zeros where there are fewer. */
function stack(count: number, tensors: readonly Tensor[]): Tensor {
  const { shape } = tensors[0] ?? { shape: [2, 3] }
  const rows = Array.from({ length: count }, (_, i) => tensors[i] ?? fill(shape, 0))
  return reshape(
    concat(
      rows.map((t) => reshape(t, [1, sizeOf(shape)])),
      0,
    ),
    [count, ...shape],
  )
}

const indices = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`${i}`, i32([], [i])]))

describe.each(loops)('a loop with $name', ({ samples, runs, expression }) => {
  it('has the value of the same loop written out', async () => {
    const { looped, unrolled } = await evaluate({ ...samples, ...indices }, (tensors) => ({
      looped: expression(repeat, tensors),
      unrolled: expression(writtenOut(runs), tensors),
    }))
    expect(relativeError(looped, unrolled)).toBeLessThan(1e-6)
  })

  it('has the gradients of the same loop written out', async () => {
    const looped = await gradientsOf(samples, (tensors) => expression(repeat, tensors))
    const unrolled = await gradientsOf({ ...samples, ...indices }, (tensors) => expression(writtenOut(runs), tensors))
    for (const name of Object.keys(looped)) expect(relativeError(looped[name], unrolled[name]), name).toBeLessThan(1e-6)
  })

  it('has the gradients that finite differences find', async () => {
    const errors = await gradientErrors(samples, (tensors) => expression(repeat, tensors), { step: 2 ** -9 })
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-3)
  })
})

describe('a loop', () => {
  it('stops gradients where its body does', async () => {
    const truncated =
      (loop: Loop) =>
      ({ x, w }: Record<string, Tensor>) =>
        loop({ count: 3, carry: { x } }, ({ x }) => ({ carry: { x: add(mul(stopGradient(x), w), w) } })).carry.x
    const samples = { x: f32([2]), w: f32([2]) }
    const looped = await gradientsOf(samples, truncated(repeat))
    const unrolled = await gradientsOf({ ...samples, ...indices }, truncated(writtenOut()))
    expect([...looped.x]).toEqual([0, 0])
    expect(relativeError(looped.w, unrolled.w)).toBeLessThan(1e-6)
  })

  it('runs as often as each sequence of a batch says, back as well', async () => {
    let loss!: Tensor
    const graph = trace('powers', () => {
      const w = parameter('w', [])
      const { carry } = repeat({ count: 4, carry: { x: input('x', []) }, runs: input('runs', [], 'i32') }, ({ x }) => ({
        carry: { x: mul(x, w) },
      }))
      output('y', carry.x)
      loss = carry.x
    })
    const run = { count: 4, inputs: { x: Float32Array.of(1, 10, 100, 1000), runs: Int32Array.of(3, 0, 1, 2) } }
    const programs = compileTraining(graph, loss)
    const { outputs, sums } = await runStep(referenceExecutor(), programs, {
      ...run,
      parameters: { w: Float32Array.of(2) },
    })
    expect([...outputs.y]).toEqual([8, 10, 200, 4000])
    expect([...sums.loss]).toEqual([4218])
    expect([...sums['grad:w']]).toEqual([3 * 4 + 100 + 1000 * 2 * 2])
  })

  it('makes a Program whose size does not depend on its count', () => {
    const printed = [2, 4000].map((count) => {
      let loss!: Tensor
      const graph = trace('t', () => {
        const w = parameter('w', [3, 3])
        const { carry } = repeat({ count, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({
          carry: { x: unary('tanh', matmul(x, w)) },
        }))
        loss = sum(carry.x)
      })
      return printProgram(compileTraining(graph, loss).main)
    })
    expect(printed[1].replaceAll('4000', '2')).toBe(printed[0])
  })
})
