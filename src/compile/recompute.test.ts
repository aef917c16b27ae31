import { describe, expect, it } from 'vitest'
import { drawAll, f32, relativeError } from '../executor/conformance/data.ts'
import { dataOf, refusal, runStep } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { accumulate, input, parameter, state, type Tensor, trace } from '../graph/graph.ts'
import { append, matmul, mul, repeat, stopGradient, sum, unary } from '../ops/index.ts'
import { compileTraining, type Instruction, printProgram, programFlops } from './index.ts'

/** Six times tanh(x · w) with a sum inside; the body has two values to keep beside its carry. */
function programs(saveEvery: number) {
  let loss!: Tensor
  const graph = trace('t', () => {
    const w = parameter('w', [3, 3])
    const { carry } = repeat({ count: 6, carry: { x: input('x', [2, 3]) }, saveEvery }, ({ x }) => {
      const next = unary('tanh', unary('exp', matmul(x, w)))
      accumulate('states', next)
      return { carry: { x: next } }
    })
    loss = sum(mul(carry.x, input('weights', [2, 3])))
  })
  return compileTraining(graph, loss)
}

const repeats = (list: readonly Instruction[]): Instruction[] =>
  list.flatMap((i) => (i.block ? [i, ...repeats(i.block.instructions)] : []))
const opsOf = ({ block }: Instruction) => block!.instructions.map((i) => i.op)

describe('a loop whose derivative computes again', () => {
  it('stacks its carries alone', () => {
    const kept = (saveEvery: number) =>
      repeats(programs(saveEvery).main.instructions).map(({ attributes, block }) => [
        attributes.count,
        block!.collected.length,
      ])
    expect(kept(6)).toEqual([
      [6, 3],
      [6, 0],
    ])
    expect(kept(1)).toEqual([
      [5, 1],
      [1, 3],
      [1, 0],
      [5, 0],
    ])
    expect(kept(2)).toEqual([
      [2, 1],
      [2, 0],
      [2, 3], // the last two iterations, and the way back
      [2, 0],
      [2, 0], // the segments again: forward, keeping everything, and back
      [2, 3],
      [2, 0],
    ])
  })

  it('walks back in the loop that computes again', () => {
    const back = repeats(programs(1).main.instructions).at(-1)!
    expect(back.attributes.reverse).toBe(true)
    expect(opsOf(back).slice(0, 3)).toEqual(['matmul', 'exp', 'tanh'])
    expect(back.block!.instructions.filter((i) => i.attributes.recomputed)).toHaveLength(3)
    expect(printProgram(programs(1).main)).toContain('recomputed: true')
  })

  it('adds to the sums of its body once', async () => {
    const values = drawAll({ x: f32([2, 3]), w: f32([3, 3]), weights: f32([2, 3]) }, 'recompute')
    const { w, ...inputs } = dataOf(values)
    const run = { count: 1, parameters: { w }, inputs }
    const { sums } = await runStep(referenceExecutor(), programs(6), run)
    for (const saveEvery of [1, 2, 4]) {
      const got = (await runStep(referenceExecutor(), programs(saveEvery), run)).sums
      for (const name of ['states', 'grad:w', 'loss']) expect(relativeError(got[name], sums[name]), name).toBe(0)
    }
  })

  it('has the same FLOPs: what is computed again does not count', () => {
    for (const saveEvery of [1, 2, 4])
      expect(programFlops(programs(saveEvery).main)).toBe(programFlops(programs(6).main))
  })

  it('makes a Program whose size does not depend on its count', () => {
    const sizes = [10, 1000].map((count) => {
      let loss!: Tensor
      const graph = trace('t', () => {
        const { carry } = repeat({ count, carry: { x: input('x', [2, 2]) }, saveEvery: 4 }, ({ x }) => ({
          carry: { x: matmul(x, parameter('w', [2, 2])) },
        }))
        loss = sum(carry.x)
      })
      return printProgram(compileTraining(graph, loss).main).split('\n').length
    })
    expect(sizes[0]).toBe(sizes[1])
  })

  it('refuses to append to a state twice', () => {
    let loss!: Tensor
    const graph = trace('t', () => {
      const [slots, at] = [state('s', [4, 2, 3]), input('at', [], 'i32')]
      const { carry } = repeat({ count: 4, carry: { x: input('x', [2, 3]) }, saveEvery: 1 }, ({ x }, { index }) => {
        const seen = append(slots, index, stopGradient(x), at)
        return { carry: { x: mul(x, mul(stopGradient(seen), parameter('w', [2, 3]))) } }
      })
      loss = sum(carry.x)
    })
    expect(refusal(() => compileTraining(graph, loss))).toBe(
      'a loop that appends to a state cannot be computed again: leave saveEvery out',
    )
  })
})
