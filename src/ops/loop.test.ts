import { describe, expect, it } from 'vitest'
import { input, type Tensor, trace } from '../graph/graph.ts'
import { add, mul } from './index.ts'
import { loop } from './loop.ts'

describe('loop', () => {
  it('is one node: carries, stacks and runs in; carries and collected stacks out', () => {
    let seen: Tensor[] = []
    const graph = trace('t', () => {
      const { carry, collected } = loop(
        { count: 3, carry: { x: input('x', [2]) }, scan: { s: input('s', [3, 2]) }, runs: input('runs', [], 'i32') },
        ({ x }, { index, slices: { s } }) => {
          expect(index).toMatchObject({ shape: [], dtype: 'i32' })
          return { carry: { x: add(x, s) }, collect: { twice: mul(s, 2) } }
        },
      )
      seen = [carry.x, collected.twice]
    })
    const node = graph.scope.nodes.find((n) => n.op === 'repeat')!
    expect(node.inputs.map((t) => t.node.attributes.name)).toEqual(['x', 's', 'runs'])
    expect(node.outputs).toEqual(seen)
    expect(seen.map((t) => t.shape)).toEqual([[2], [3, 2]])
    expect(node.attributes).toEqual({ count: 3, reverse: false, bounded: true, recompute: false })
  })

  it('says that it is to be computed again', () => {
    const graph = trace('t', () => {
      loop({ count: 3, carry: { x: input('x', [2]) }, recompute: true }, ({ x }) => ({ carry: { x: mul(x, 2) } }))
    })
    expect(graph.scope.nodes.at(-1)!.attributes.recompute).toBe(true)
  })
})
