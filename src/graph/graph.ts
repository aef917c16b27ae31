import { LatheError } from '../settings/error.ts'
import { type DType, formatType, sameShape, type TensorType } from '../tensor/type.ts'

/** What an op is told besides its tensors: plain data, so that Programs print and compare. */
export type Attributes = Readonly<Record<string, number | string | boolean | readonly number[]>>

/** A symbolic tensor: one output of a node. */
export class Tensor implements TensorType {
  constructor(
    readonly node: Node,
    /** Which of the node's outputs this is. */
    readonly index: number,
    readonly shape: readonly number[],
    readonly dtype: DType,
  ) {}

  toString(): string {
    return `${this.node.op}#${this.node.id}: ${formatType(this)}`
  }
}

/** One application of an op. Ids grow in order of creation, which is a topological order within a scope. */
export interface Node {
  readonly id: number
  readonly op: string
  inputs: Tensor[]
  readonly attributes: Attributes
  readonly outputs: Tensor[]
  readonly scope: Scope
  /** Depends on nothing but parameters: computed once per step, not once per sequence. */
  readonly parameterOnly: boolean
  /** The traced body of a `repeat`. */
  readonly body?: Body
}

/** Where nodes are created: the whole sequence, or the body of one `repeat`. */
export class Scope {
  readonly nodes: Node[] = []
  constructor(readonly parent?: Scope) {}

  get root(): Scope {
    return this.parent ? this.parent.root : this
  }
}

/** The body of a `repeat`, traced once. */
export interface Body {
  readonly scope: Scope
  /** i32 scalar: the iteration, 0-based, counted in the direction of the forward pass. */
  readonly index: Tensor
  /** Placeholders of the carried tensors, and what they become. */
  readonly carry: Tensor[]
  readonly next: Tensor[]
  /** Placeholders of one iteration's slice of each scanned stack. */
  readonly scanned: Tensor[]
  /** Tensors whose values of all iterations are stacked into outputs. */
  readonly collected: Tensor[]
}

let nextId = 0
let currentScope: Scope | undefined

/** The scope that is being traced; an error outside of `trace`. */
export function scopeNow(): Scope {
  if (!currentScope) throw new LatheError('symbolic tensors can only be made inside trace(…)')
  return currentScope
}

/** Runs `fn` with nodes going to `scope`. */
export function within<R>(scope: Scope, fn: () => R): R {
  const outer = currentScope
  currentScope = scope
  try {
    return fn()
  } finally {
    currentScope = outer
  }
}

/** Adds a node. Constants, and work on parameters and constants alone, move out of loops, to the root. */
export function addNode(
  op: string,
  inputs: readonly Tensor[],
  types: readonly TensorType[],
  attributes: Attributes = {},
  options: { body?: Body; parameterOnly?: boolean } = {},
): Node {
  const fixed = inputs.every((t) => t.node.parameterOnly || t.node.op === 'fill')
  const parameterOnly = options.parameterOnly ?? (fixed && inputs.some((t) => t.node.parameterOnly))
  const scope = parameterOnly || op === 'fill' ? scopeNow().root : scopeNow()
  const node: Node = {
    id: nextId++,
    op,
    inputs: [...inputs],
    attributes,
    outputs: [],
    scope,
    parameterOnly,
    body: options.body,
  }
  for (const type of types) addOutput(node, type)
  scope.nodes.push(node)
  return node
}

/** Gives a node one more output: what its backward pass needs of it is known only after it was traced. */
export function addOutput(node: Node, type: TensorType): Tensor {
  const tensor = new Tensor(node, node.outputs.length, type.shape, type.dtype)
  node.outputs.push(tensor)
  return tensor
}

/** A tensor whose value comes from outside: a body's carry, slice or index. */
export function placeholder(type: TensorType): Tensor {
  return addNode('placeholder', [], [type], {}, { parameterOnly: false }).outputs[0]
}

/** The four kinds of tensor that a Program has, by name. */
export type SourceKind = 'parameter' | 'input' | 'state'

/** What `trace` returns: the graph of one sequence. */
export class Graph {
  readonly scope = new Scope()
  readonly sources = new Map<string, Tensor>()
  /** Values that every sequence has for itself. */
  readonly outputs = new Map<string, Tensor>()
  /** Values that are summed over the sequences of a batch (losses, gradients). */
  readonly sums = new Map<string, TensorType>()
  constructor(readonly name: string) {}
}

let currentGraph: Graph | undefined

function graphNow(): Graph {
  if (!currentGraph) throw new LatheError('inputs, parameters and outputs can only be named inside trace(…)')
  return currentGraph
}

/** Continues a graph: nodes made by `fn` at its root belong to it. */
export function extend<R>(graph: Graph, fn: () => R): R {
  const outer = currentGraph
  currentGraph = graph
  try {
    return within(graph.scope, fn)
  } finally {
    currentGraph = outer
  }
}

/**
 * Runs model code, written for ONE sequence, on symbolic tensors.
 *
 * @example
 * const graph = trace('double', () => output('y', add(input('x', [4]), input('x', [4]))))
 */
export function trace(name: string, fn: () => void): Graph {
  const graph = new Graph(name)
  extend(graph, fn)
  return graph
}

function source(kind: SourceKind, name: string, shape: readonly number[], dtype: DType): Tensor {
  const graph = graphNow()
  const known = graph.sources.get(name)
  if (known) {
    if (known.node.op !== kind || known.dtype !== dtype || !sameShape(known.shape, shape))
      throw new LatheError(
        `${graph.name}: ${kind} ${name} is ${formatType({ shape, dtype })} here, but ${known.node.op} ${formatType(known)} elsewhere`,
      )
    return known
  }
  const make = () => addNode(kind, [], [{ shape, dtype }], { name }, { parameterOnly: kind === 'parameter' })
  const tensor = within(graph.scope, make).outputs[0]
  graph.sources.set(name, tensor)
  return tensor
}

/** A learned f32 tensor, shared by all sequences; the same name is the same tensor. */
export const parameter = (name: string, shape: readonly number[]): Tensor => source('parameter', name, shape, 'f32')

/** A tensor that each sequence brings along. */
export const input = (name: string, shape: readonly number[], dtype: DType = 'f32'): Tensor =>
  source('input', name, shape, dtype)

/** A persistent f32 tensor of one sequence that runs append rows to (KV slots). */
export const state = (name: string, shape: readonly number[]): Tensor => source('state', name, shape, 'f32')

/** Names a tensor that the caller wants of every sequence. */
export function output(name: string, tensor: Tensor): void {
  const { outputs, sums, name: graph } = graphNow()
  if (outputs.has(name) || sums.has(name)) throw new LatheError(`${graph}: the output ${name} is named twice`)
  outputs.set(name, tensor)
}

/** Adds a tensor's value, in the loop where it stands, to a sum over all sequences of the batch. */
export function accumulate(name: string, tensor: Tensor): void {
  const { sums, outputs, name: graph } = graphNow()
  const known = sums.get(name)
  if (tensor.dtype !== 'f32') throw new LatheError(`${graph}: the sum ${name} of ${formatType(tensor)} must be f32`)
  if (outputs.has(name) || (known && !sameShape(known.shape, tensor.shape)))
    throw new LatheError(`${graph}: the sum ${name} of ${formatType(tensor)} clashes with another output of that name`)
  sums.set(name, { shape: tensor.shape, dtype: 'f32' })
  addNode('accumulate', [tensor], [], { name }, { parameterOnly: false })
}
