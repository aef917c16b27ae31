import { addOutput, type Body, type Node, placeholder, Scope, scopeNow, type Tensor, within } from '../graph/graph.ts'
import { add, fill } from '../ops/index.ts'
import { addRepeat } from '../ops/repeat.ts'
import { backward, Cotangents, carriesGradient } from './differentiate.ts'

/**
 * The vector-Jacobian product of a loop is one more loop, run the other way. It carries the cotangents of the carry and
 * the sums for tensors from outside; what it needs of the forward body is stacked by the forward loop.
 */
export function repeatVjp(node: Node, cotangents: readonly (Tensor | undefined)[]): [Tensor, Tensor][] {
  const body = node.body!
  const count = node.attributes.count as number
  const nCarry = body.carry.length
  const learned = body.carry.map((_, i) => i).filter((i) => body.carry[i].dtype === 'f32')
  const collectedWith = body.collected.map((_, i) => i).filter((i) => cotangents[nCarry + i])

  const scope = new Scope(scopeNow())
  const forwardNodes = new Set(body.scope.nodes)
  const back = within(scope, () => {
    const index = placeholder(body.index)
    const carry = learned.map((i) => placeholder(body.carry[i]))
    const slices = collectedWith.map((i) => placeholder(body.collected[i]))
    const cts = new Cotangents()
    learned.forEach((i, n) => {
      cts.add(body.next[i], carry[n])
    })
    collectedWith.forEach((i, n) => {
      cts.add(body.collected[i], slices[n])
    })
    const scanned = slices
    backward(body.scope, cts)
    return { index, carry, scanned, cts }
  })

  const { cts } = back
  const next = learned.map((i) => within(scope, () => cts.get(body.carry[i]) ?? fill(body.carry[i].shape, 0)))
  const initial = learned.map((i) => cotangents[i] ?? fill(body.carry[i].shape, 0))
  const carry = [...back.carry]

  const captured = [...cts.keys()].filter((t) => !forwardNodes.has(t.node) && carriesGradient(t))
  for (const tensor of captured) {
    within(scope, () => {
      const total = placeholder(tensor)
      carry.push(total)
      next.push(add(total, cts.get(tensor)!))
    })
    initial.push(fill(tensor.shape, 0))
  }

  const scannedLearned = body.scanned.map((_, i) => i).filter((i) => cts.has(body.scanned[i]))
  const reversed: Body = {
    scope,
    index: back.index,
    carry,
    next,
    scanned: [...back.scanned],
    collected: scannedLearned.map((i) => cts.get(body.scanned[i])!),
  }
  const stacks = collectedWith.map((i) => cotangents[nCarry + i]!)
  stacks.push(...bringResiduals(node, reversed))

  const runs = node.attributes.bounded ? node.inputs.at(-1) : undefined
  const loop = addRepeat(reversed, count, initial, stacks, { runs, reverse: !node.attributes.reverse })
  return [
    ...learned.map((i, n): [Tensor, Tensor] => [node.inputs[i], loop.outputs[n]]),
    ...captured.map((t, n): [Tensor, Tensor] => [t, loop.outputs[learned.length + n]]),
    ...scannedLearned.map((i, n): [Tensor, Tensor] => [node.inputs[nCarry + i], loop.outputs[carry.length + n]]),
  ]
}

/** Replaces what the reversed body reads of the forward body by slices of stacks; returns those stacks. */
function bringResiduals(node: Node, reversed: Body): Tensor[] {
  const body = node.body!
  const forwardNodes = new Set(body.scope.nodes)
  const replacement = new Map<Tensor, Tensor>([[body.index, reversed.index]])
  const stacks: Tensor[] = []

  const bring = (tensor: Tensor): Tensor => {
    const known = replacement.get(tensor)
    if (known || !forwardNodes.has(tensor.node)) return known ?? tensor
    const slice = within(reversed.scope, () => {
      stacks.push(stackOf(node, tensor))
      reversed.scanned.push(placeholder(tensor))
      return reversed.scanned.at(-1)!
    })
    replacement.set(tensor, slice)
    return slice
  }
  const rewrite = (scope: Scope): void => {
    for (const inner of [...scope.nodes]) {
      inner.inputs = inner.inputs.map(bring)
      if (inner.body) rewriteBody(inner.body)
    }
  }
  const rewriteBody = (inner: Body): void => {
    rewrite(inner.scope)
    for (const list of [inner.next, inner.collected]) list.splice(0, list.length, ...list.map(bring))
  }
  rewriteBody(reversed)
  // Slices and constants made on the way must come before the nodes that read them.
  reversed.scope.nodes.sort((a, b) => Number(b.inputs.length === 0) - Number(a.inputs.length === 0))
  return stacks
}

/** The stack of a forward tensor over all iterations: one that is there already, or a new output of the loop. */
function stackOf(node: Node, tensor: Tensor): Tensor {
  const body = node.body!
  const nCarry = body.carry.length
  const scanned = body.scanned.indexOf(tensor)
  if (scanned >= 0) return node.inputs[nCarry + scanned]
  const collected = body.collected.indexOf(tensor)
  if (collected >= 0) return node.outputs[nCarry + collected]
  body.collected.push(tensor)
  return addOutput(node, { shape: [node.attributes.count as number, ...tensor.shape], dtype: tensor.dtype })
}
