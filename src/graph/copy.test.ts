import { describe, expect, it } from 'vitest'
import { add, matmul, mul, repeat, unary } from '../ops/index.ts'
import { copyBody, copyInto } from './copy.ts'
import {
  accumulate,
  type Body,
  extend,
  Graph,
  input,
  type Node,
  parameter,
  placeholder,
  Scope,
  within,
} from './graph.ts'

/** A graph with one loop: a weight's square, a tensor from outside, a sum and a loop inside. */
function traced(): { graph: Graph; body: Body } {
  const graph = new Graph('t')
  extend(graph, () => {
    const [w, outer] = [unary('square', parameter('w', [2, 2])), unary('tanh', input('u', [2, 2]))]
    repeat({ count: 3, carry: { x: input('x', [2, 2]) } }, ({ x }) => {
      const y = add(matmul(x, w), outer)
      accumulate('total', y)
      const inner = repeat({ count: 2, carry: { y } }, ({ y }) => {
        accumulate('inner', y)
        return { carry: { y: mul(y, x) } }
      })
      return { carry: { x: inner.carry.y }, collect: { y } }
    })
  })
  return { graph, body: graph.scope.nodes.find((n) => n.op === 'repeat')!.body! }
}

const opsOf = ({ scope }: Body) => scope.nodes.filter((n) => n.op !== 'placeholder').map((n) => n.op)
const innerOf = ({ scope }: Body): Node => scope.nodes.find((n) => n.op === 'repeat')!
const isSum = ({ op }: Node) => op === 'accumulate'

describe('copyBody', () => {
  it('has the same ops on tensors of its own', () => {
    const { graph, body } = traced()
    const copy = extend(graph, () => copyBody(body))
    expect(opsOf(copy)).toEqual(['matmul', 'add', 'accumulate', 'repeat'])
    expect(opsOf(innerOf(copy).body!)).toEqual(['accumulate', 'mul'])
    const own = new Set([...copy.scope.nodes, ...innerOf(copy).body!.scope.nodes])
    for (const t of [copy.index, ...copy.carry, ...copy.next, ...copy.collected]) expect(own).toContain(t.node)
    for (const node of [...body.scope.nodes, ...innerOf(body).body!.scope.nodes]) expect(own).not.toContain(node)
    // What is read of the body around is the copy's, too.
    expect(innerOf(copy).body!.scope.nodes.at(-1)!.inputs[1]).toBe(copy.carry[0])
  })

  it('uses what is outside as it is, and adds no work on parameters', () => {
    const { graph, body } = traced()
    const before = graph.scope.nodes.length
    const copy = extend(graph, () => copyBody(body))
    expect(graph.scope.nodes).toHaveLength(before)
    const [original, again] = [body, copy].map(({ scope }) =>
      scope.nodes.filter((n) => n.op === 'matmul' || n.op === 'add'),
    )
    expect(again.map((n) => n.inputs[1])).toEqual(original.map((n) => n.inputs[1]))
    expect(copy.scope.parent).toBe(graph.scope)
  })
})

describe('copyInto', () => {
  it('stands on the tensors given, in the scope at hand', () => {
    const { graph, body } = traced()
    const scope = new Scope(graph.scope)
    const copy = within(scope, () => {
      const given = { index: placeholder(body.index), carry: body.carry.map((t) => placeholder(t)), scanned: [] }
      return copyInto(given, body, { without: isSum, mark: { marked: true } })
    })
    expect(copy.scope).toBe(scope)
    expect(opsOf(copy)).toEqual(['matmul', 'add', 'repeat'])
    expect(opsOf(innerOf(copy).body!)).toEqual(['mul'])
    expect(copy.scope.nodes.filter((n) => n.op !== 'placeholder').every((n) => n.attributes.marked)).toBe(true)
    expect(innerOf(copy).body!.scope.nodes.some((n) => n.attributes.marked)).toBe(false)
    expect(copy.scope.nodes.find((n) => n.op === 'matmul')!.inputs[0]).toBe(copy.carry[0])
  })
})
