import { describe, expect, it } from 'vitest'
import { compileTraining } from '../compile/index.ts'
import { f32, i32, scaled } from '../executor/conformance/data.ts'
import { gradientsOf } from '../executor/conformance/finite-differences.ts'
import { evaluate } from '../executor/conformance/step.ts'
import { type Graph, input, parameter, type Tensor, trace } from '../graph/graph.ts'
import { add, concat, embed, linearCrossEntropy, matmul, mul, repeat, reshape, sum, takeRow, unary } from './index.ts'

const count = 7
const samples = {
  x: f32([2, 3]),
  w: f32([3, 3], scaled(0.5)),
  table: f32([count, 3], scaled(0.5)),
  stack: f32([count, 2, 3]),
  gains: f32([count]),
  outer: f32([2, 3]),
}

function lossOf(fn: () => Tensor): [Graph, Tensor] {
  let loss!: Tensor
  const graph = trace('t', () => {
    loss = sum(fn())
  })
  return [graph, loss]
}

/** A loop with all that a loop may have. */
function everything(saveEvery: number, runs?: Tensor) {
  return ({ x, w, table, stack, gains, outer }: Record<string, Tensor>) =>
    repeat(
      { count, carry: { x, y: outer }, scan: { rows: stack, gain: gains }, runs, saveEvery },
      ({ x, y }, { index, slices: { rows, gain } }) => {
        const next = unary('tanh', add(add(matmul(x, w), mul(rows, gain)), add(takeRow(table, index), outer)))
        return { carry: { x: next, y: mul(add(x, y), 0.5) }, collect: { next, row: takeRow(table, index), index } }
      },
    )
}

describe.each([1, 2, 3, 4, 6, 7, 8])('a loop of 7 that saves every %i', (saveEvery) => {
  it('carries, collects and counts as one that saves everything', async () => {
    const values = (saveEvery: number) =>
      evaluate(samples, (t) => {
        const { carry, collected } = everything(saveEvery)(t)
        return { ...carry, ...collected }
      })
    const got = await values(saveEvery)
    expect([...got.index]).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(got).toEqual(await values(count))
  })

  it.each([-1, 0, 1, 3, 6, 7, 9])('does so with %i runs', async (runs) => {
    const values = (saveEvery: number) =>
      evaluate({ ...samples, runs: i32([], [runs]) }, ({ runs, ...t }) => {
        const { carry, collected } = everything(saveEvery, runs)(t)
        return { ...carry, ...collected }
      })
    expect(await values(saveEvery)).toEqual(await values(count))
  })

  it('has its gradients, bit for bit', async () => {
    const gradients = (saveEvery: number) =>
      gradientsOf(samples, (t) => {
        const { carry, collected } = everything(saveEvery)(t)
        const flat = reshape(collected.next, [2 * count, 3])
        return concat([carry.x, carry.y, mul(flat, flat), collected.row], 0)
      })
    expect(await gradients(saveEvery)).toEqual(await gradients(count))
  })
})

describe('a loop that saves less', () => {
  it('derives what depends on weights alone once', () => {
    const { derive } = compileTraining(
      ...lossOf(() => {
        const [x, w] = [input('x', [2, 3]), parameter('w', [3, 3])]
        const body = ({ x }: { x: Tensor }) => ({ carry: { x: matmul(x, matmul(w, w)) } })
        return repeat({ count: 5, carry: { x }, saveEvery: 2 }, body).carry.x
      }),
    )
    expect(derive!.instructions.map((i) => i.op)).toEqual(['matmul'])
  })

  it('carries and collects integers', async () => {
    const samples = { table: f32([5, 3]), head: f32([5, 3]), ids: i32([2], [3, 1]) }
    const values = (saveEvery: number) =>
      evaluate(samples, ({ table, head, ids }) => {
        const { carry, collected } = repeat({ count: 5, carry: { ids }, saveEvery }, ({ ids }) => {
          const { predictions } = linearCrossEntropy(embed(table, ids), head, ids)
          return { carry: { ids: predictions }, collect: { ids } }
        })
        return { last: carry.ids, all: collected.ids }
      })
    expect(await values(2)).toEqual(await values(5))
  })

  it('is two nodes, one of segments, and one node where it saves as much as there is', () => {
    const loopsOf = (saveEvery: number) => {
      const { scope } = trace('t', () => {
        repeat({ count: 8, carry: { x: input('x', [2]) }, saveEvery }, ({ x }) => ({ carry: { x: mul(x, 2) } }))
      })
      const loops = scope.nodes.filter((n) => n.op === 'repeat' && n.body!.carry.length > 0)
      return loops.map(({ attributes: { count, recompute }, body }) => [
        recompute ? 'again' : 'kept',
        count,
        body!.scope.nodes.filter((n) => n.op === 'repeat').map((n) => n.attributes.count),
      ])
    }
    expect(loopsOf(8)).toEqual([['kept', 8, []]])
    expect(loopsOf(100)).toEqual([['kept', 8, []]])
    expect(loopsOf(3)).toEqual([
      ['again', 2, [3]],
      ['kept', 2, []],
    ])
    expect(loopsOf(1)).toEqual([
      ['again', 7, []],
      ['kept', 1, []],
    ])
  })
})
