import { accumulate, extend, type Graph, type Node, type Scope, type Tensor } from '../graph/graph.ts'
import { add, fill, ops } from '../ops/index.ts'
import { LatheError } from '../settings/error.ts'
import { repeatVjp } from './repeat-vjp.ts'

/** Cotangents by tensor; adding twice sums, one after the other. */
export class Cotangents extends Map<Tensor, Tensor> {
  /** `start`: what the sum for a tensor begins with; undefined: with the first cotangent. */
  constructor(private readonly start: (tensor: Tensor) => Tensor | undefined = () => undefined) {
    super()
  }

  /** The sum for a tensor so far. */
  begun(tensor: Tensor): Tensor | undefined {
    return this.get(tensor) ?? this.start(tensor)
  }

  add(tensor: Tensor, cotangent: Tensor): void {
    const known = this.begun(tensor)
    this.set(tensor, known ? add(known, cotangent) : cotangent)
  }
}

/** The sum that holds a parameter's gradient. */
export const gradientName = (parameter: string): string => `grad:${parameter}`

const leaves = new Set(['parameter', 'input', 'state', 'placeholder', 'fill', 'stopGradient'])

/** Whether a derivative can reach a parameter through this tensor; a loop's carry is taken to. */
function carriesGradient(tensor: Tensor): boolean {
  if (tensor.dtype !== 'f32') return false
  const { op } = tensor.node
  return op === 'parameter' || op === 'placeholder' || !leaves.has(op)
}

/**
 * Walks back through one scope: cotangents of tensors of the scope in, cotangents of its leaves and of tensors from
 * outside left in the map. Parameters are sinks: what reaches one is added to its gradient there and then, inside the
 * loop, so that a weight shared by all loops needs no carried sum.
 */
export function backward(scope: Scope, cotangents: Cotangents): void {
  const nodes = [...scope.nodes].sort((a, b) => b.id - a.id)
  for (const node of nodes) {
    const cts = node.outputs.map((t) => cotangents.get(t))
    if (cts.every((ct) => ct === undefined) || isBoundary(node) || leaves.has(node.op)) continue
    for (const output of node.outputs) cotangents.delete(output)
    const towards = node.op === 'repeat' ? repeatVjp(node, cts, cotangents) : inputCotangents(node, cts)
    for (const [tensor, ct] of towards) reach(tensor, ct, cotangents)
  }
}

/** Adds a cotangent to those of a tensor, to the gradient where that is a sink, or nowhere. */
export function reach(tensor: Tensor, cotangent: Tensor, cotangents: Cotangents): void {
  if (!carriesGradient(tensor)) return
  if (isBoundary(tensor.node)) accumulate(sinkName(tensor), cotangent)
  else cotangents.add(tensor, cotangent)
}

/** Parameters, and what the parameter program derives from them, end the walk of a sequence. */
const isBoundary = (node: Node): boolean => node.op === 'parameter' || node.parameterOnly

const sinkName = (tensor: Tensor): string => gradientName(boundaryName(tensor))

/** A parameter's name, or that of a tensor derived from parameters alone. */
export function boundaryName(tensor: Tensor): string {
  return tensor.node.op === 'parameter'
    ? (tensor.node.attributes.name as string)
    : `derived:${tensor.node.id}.${tensor.index}`
}

/** One node's vector-Jacobian product, as pairs of input and cotangent. */
function inputCotangents(node: Node, cotangents: readonly (Tensor | undefined)[]): [Tensor, Tensor][] {
  const op = ops.get(node.op)
  if (!op?.vjp) {
    if (node.inputs.some(carriesGradient))
      throw new LatheError(`${node.op} has no derivative; put stopGradient around it`)
    return []
  }
  const { recomputed: _, ...attributes } = node.attributes
  const results = op.vjp({ inputs: node.inputs, outputs: node.outputs, attributes, cotangents })
  return node.inputs.flatMap((t, i): [Tensor, Tensor][] => (results[i] ? [[t, results[i]]] : []))
}

/**
 * Adds the backward pass of a scalar loss to a graph: each parameter's gradient becomes the sum `grad:NAME`, and the
 * loss itself the sum `loss`.
 */
export function differentiate(graph: Graph, loss: Tensor): Graph {
  if (loss.shape.length !== 0)
    throw new LatheError(`the loss must be a scalar, not [${loss.shape.join(', ')}]: sum it first`)
  if (graph.sums.has('loss'))
    throw new LatheError(`${graph.name}: the sum loss is the loss that gradients are taken of; name yours otherwise`)
  extend(graph, () => {
    accumulate('loss', loss)
    const cotangents = new Cotangents()
    cotangents.set(loss, fill([], 1))
    if (isBoundary(loss.node)) accumulate(sinkName(loss), fill([], 1))
    backward(graph.scope, cotangents)
  })
  return graph
}
