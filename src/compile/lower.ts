import type { Graph, Node, Scope, Tensor } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sameShape, type TensorType } from '../tensor/type.ts'
import { boundaryName } from './differentiate.ts'
import { type Binding, type Block, type Instruction, type Program, printAttributes } from './program.ts'
import { prune } from './prune.ts'

/** Ops whose repetition is not the same value twice, or whose order matters. */
const unique = new Set(['repeat', 'accumulate', 'append', 'placeholder'])

class Lowering {
  readonly values: TensorType[] = []
  readonly parameters: Binding[] = []
  readonly inputs: Binding[] = []
  readonly states: Binding[] = []
  private readonly ids = new Map<Tensor, number>()
  private readonly constants = new Map<number, number>()
  /** The scopes that the instruction at hand stands in. */
  private readonly open: Set<Scope>

  constructor(private readonly graph: Graph) {
    this.open = new Set([graph.scope])
  }

  define(tensor: Tensor): number {
    this.values.push({ shape: tensor.shape, dtype: tensor.dtype })
    this.ids.set(tensor, this.values.length - 1)
    return this.values.length - 1
  }

  use(tensor: Tensor): number {
    if (!this.open.has(tensor.node.scope))
      throw new LatheError(
        `${this.graph.name}: ${tensor.node.op} ${formatType(tensor)} is used outside of the loop or trace that made it; carry it out of the loop, or collect it`,
      )
    return this.ids.get(tensor) ?? this.source(tensor)
  }

  private source(tensor: Tensor): number {
    const { node } = tensor
    const value = this.define(tensor)
    const kind = node.op === 'input' ? this.inputs : node.op === 'state' ? this.states : this.parameters
    const name = kind === this.parameters ? boundaryName(tensor) : (node.attributes.name as string)
    kind.push({ name, value, shape: tensor.shape, dtype: tensor.dtype })
    return value
  }

  /** Lowers one scope; `seen` finds a value that was computed before, here or further out. */
  scope(scope: Scope, include: (node: Node) => boolean, seen: Map<string, readonly number[]>): Instruction[] {
    const instructions: Instruction[] = []
    for (const node of scope.nodes) {
      if (!include(node) || node.op === 'placeholder') continue
      if (node.op === 'parameter' || node.op === 'input' || node.op === 'state') continue
      const same = this.simpler(node)
      if (same !== undefined) {
        this.ids.set(node.outputs[0], same)
        continue
      }
      const inputs = node.inputs.map((t) => this.use(t))
      const key = `${node.op}(${inputs})${printAttributes(node.attributes)}`
      const known = unique.has(node.op) ? undefined : seen.get(key)
      // an equal node may have been asked for more, as attention is for its weights by its derivative
      if (known && known.length >= node.outputs.length) {
        node.outputs.forEach((t, i) => {
          this.ids.set(t, known[i])
        })
        continue
      }
      const block = node.body && this.block(node, seen)
      const outputs = node.outputs.map((t) => this.define(t))
      if (node.op === 'fill') this.constants.set(outputs[0], node.attributes.value as number)
      seen.set(key, outputs)
      instructions.push({ op: node.op, inputs, outputs, attributes: node.attributes, ...(block && { block }) })
    }
    return instructions
  }

  private block(node: Node, seen: Map<string, readonly number[]>): Block {
    const { index, carry, scanned, next, collected, scope } = node.body!
    this.open.add(scope)
    const ids = (tensors: readonly Tensor[]) => tensors.map((t) => this.use(t))
    const head = {
      index: this.define(index),
      carry: carry.map((t) => this.define(t)),
      scanned: scanned.map((t) => this.define(t)),
    }
    const instructions = this.scope(scope, () => true, new Map(seen))
    const tail = { next: ids(next), collected: ids(collected) }
    this.open.delete(scope)
    return { ...head, instructions, ...tail }
  }

  /** The value that this node equals by algebra: x + 0, 1·x, a reshape to the same shape. */
  private simpler({ op, inputs, outputs, parameterOnly }: Node): number | undefined {
    if (parameterOnly) return undefined
    if (op === 'stopGradient') return this.use(inputs[0])
    if (op === 'reshape' && sameShape(inputs[0].shape, outputs[0].shape)) return this.use(inputs[0])
    const neutral = op === 'add' ? 0 : op === 'mul' ? 1 : undefined
    if (neutral === undefined) return undefined
    for (const [x, other] of [inputs, [inputs[1], inputs[0]]]) {
      const isNeutral = this.constants.get(this.use(other)) === neutral
      if (isNeutral && sameShape(x.shape, outputs[0].shape)) return this.use(x)
    }
    return undefined
  }
}

/**
 * Turns a graph into a Program: common values once, neutral arithmetic gone, what no output needs dropped.
 * Work on parameters alone is left out, and its results are parameters named `derived:…`, unless `withDerived` is set.
 */
export function lower(graph: Graph, options: { withDerived?: boolean } = {}): Program {
  const lowering = new Lowering(graph)
  const include = (node: Node) => options.withDerived === true || !node.parameterOnly
  const instructions = lowering.scope(graph.scope, include, new Map())
  return finish(graph.name, graph, lowering, instructions, [...graph.outputs])
}

/** Lowers only the work on parameters alone that `tensors` need. */
export function lowerParameterOnly(name: string, graph: Graph, tensors: ReadonlyMap<string, Tensor>): Program {
  const lowering = new Lowering(graph)
  const instructions = lowering.scope(
    graph.scope,
    (node) => (node.parameterOnly && node.op !== 'parameter') || node.op === 'fill',
    new Map(),
  )
  return finish(name, { sums: new Map() }, lowering, instructions, [...tensors])
}

function finish(
  name: string,
  { sums }: Pick<Graph, 'sums'>,
  lowering: Lowering,
  instructions: Instruction[],
  outputs: [string, Tensor][],
): Program {
  const bound = outputs.map(([output, t]) => ({ name: output, value: lowering.use(t), shape: t.shape, dtype: t.dtype }))
  const { values, parameters, inputs, states } = lowering
  const named = [...sums].map(([sum, type]) => ({ ...type, name: sum }))
  return prune({ name, values, parameters, inputs, states, outputs: bound, sums: named, instructions })
}
