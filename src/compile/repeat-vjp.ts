import { addOutput, type Body, type Node, placeholder, Scope, scopeNow, type Tensor, within } from '../graph/graph.ts'
import { fill } from '../ops/index.ts'
import { addRepeat } from '../ops/loop.ts'
import { backward, Cotangents, reach } from './differentiate.ts'
import { recompute } from './recompute.ts'

/**
 * The vector-Jacobian product of a loop is one more loop, run the other way. It carries the cotangents of the carry and
 * the sums for tensors from outside, which go on from those in `sums` and are put back there: their order is that of the
 * iterations, however these are cut into loops. What it needs of the forward body is stacked by the forward loop; where
 * that says `recompute`, only its carries are, and each iteration computes the rest again before it walks back.
 */
export function repeatVjp(
  node: Node,
  cotangents: readonly (Tensor | undefined)[],
  sums: Cotangents,
): [Tensor, Tensor][] {
  const body = node.body!
  const again = node.attributes.recompute === true
  const count = node.attributes.count as number
  const nCarry = body.carry.length
  const learned = body.carry.map((_, i) => i).filter((i) => body.carry[i].dtype === 'f32')
  const collectedWith = body.collected.map((_, i) => i).filter((i) => cotangents[nCarry + i])

  const scope = new Scope(scopeNow())
  const back = within(scope, () => {
    const index = placeholder(body.index)
    const carry = learned.map((i) => placeholder(body.carry[i]))
    const slices = collectedWith.map((i) => placeholder(body.collected[i]))
    const forward = again ? recompute(body, index) : body
    const forwardNodes = new Set(forward.scope.nodes)
    const captured = new Map<Tensor, Tensor>()
    const sumOf = (t: Tensor): Tensor | undefined => {
      if (forwardNodes.has(t.node)) return undefined
      const sum = placeholder(t)
      captured.set(t, sum)
      return sum
    }
    const cts = new Cotangents(sumOf)
    learned.forEach((i, n) => {
      reach(forward.next[i], carry[n], cts)
    })
    collectedWith.forEach((i, n) => {
      reach(forward.collected[i], slices[n], cts)
    })
    backward(forward.scope, cts)
    return { index, carry, slices, forward, captured, cts }
  })

  const { cts, forward, captured } = back
  const next = learned.map((i) => cts.get(forward.carry[i]) ?? fill(body.carry[i].shape, 0))
  const initial = learned.map((i) => cotangents[i] ?? fill(body.carry[i].shape, 0))
  const carry = [...back.carry]
  for (const [tensor, sum] of captured) {
    carry.push(sum)
    next.push(cts.get(tensor)!)
    initial.push(sums.begun(tensor) ?? fill(tensor.shape, 0))
  }

  const scannedLearned = forward.scanned.map((_, i) => i).filter((i) => cts.has(forward.scanned[i]))
  const reversed: Body = {
    scope,
    index: back.index,
    carry,
    next,
    scanned: again ? [...back.slices, ...forward.carry, ...forward.scanned] : [...back.slices],
    collected: scannedLearned.map((i) => cts.get(forward.scanned[i])!),
  }
  const stacks = collectedWith.map((i) => cotangents[nCarry + i]!)
  const kept = again ? [...body.carry, ...body.scanned].map((t) => stackOf(node, t)) : bringResiduals(node, reversed)
  stacks.push(...kept)

  const runs = node.attributes.bounded ? node.inputs.at(-1) : undefined
  const loop = addRepeat(reversed, count, initial, stacks, { runs, reverse: !node.attributes.reverse })
  for (const [n, tensor] of [...captured.keys()].entries()) sums.set(tensor, loop.outputs[learned.length + n])
  return [
    ...learned.map((i, n): [Tensor, Tensor] => [node.inputs[i], loop.outputs[n]]),
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
