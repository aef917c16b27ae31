import { addNode, extend, Graph, input, type Node, parameter, type Tensor } from '../graph/graph.ts'
import { fill } from '../ops/index.ts'
import { backward, boundaryName, Cotangents, differentiate, gradientName } from './differentiate.ts'
import { lower, lowerParameterOnly } from './lower.ts'
import type { Program } from './program.ts'

/** The Programs of one training step. */
export interface TrainingPrograms {
  /** Forward and backward of one sequence. Sums: `loss`, `grad:NAME`, and `grad:derived:…`. */
  readonly main: Program
  /** Present when something depends on weights alone: once before the sequences, with outputs `derived:…`. */
  readonly derive?: Program
  /** Present with `derive`: once after the reduction; inputs `grad:derived:…`, sums `grad:NAME`. */
  readonly pullback?: Program
}

/** Compiles a traced model and its scalar loss (already weighted) into the Programs of a training step. */
export function compileTraining(graph: Graph, loss: Tensor): TrainingPrograms {
  const main = lower(differentiate(graph, loss))
  const derived = derivedTensors(graph, main)
  if (derived.size === 0) return { main }
  return {
    main,
    derive: lowerParameterOnly(`${graph.name}.derive`, graph, derived),
    pullback: lower(pullbackGraph(graph, derived), { withDerived: true }),
  }
}

/** Compiles a traced model for evaluation: its outputs and sums, no gradients. */
export function compileForward(graph: Graph): Pick<TrainingPrograms, 'main' | 'derive'> {
  const main = lower(graph)
  const derived = derivedTensors(graph, main)
  return derived.size ? { main, derive: lowerParameterOnly(`${graph.name}.derive`, graph, derived) } : { main }
}

function derivedTensors(graph: Graph, main: Program): Map<string, Tensor> {
  const wanted = new Set(main.parameters.map((p) => p.name))
  const outputs = graph.scope.nodes.filter((n) => n.parameterOnly && n.op !== 'parameter').flatMap((n) => n.outputs)
  return new Map(outputs.map((t): [string, Tensor] => [boundaryName(t), t]).filter(([name]) => wanted.has(name)))
}

/** A graph of its own that repeats the work on parameters and walks back through it from the derived cotangents. */
function pullbackGraph(graph: Graph, derived: ReadonlyMap<string, Tensor>): Graph {
  const pullback = new Graph(`${graph.name}.pullback`)
  extend(pullback, () => {
    const copies = new Map<Tensor, Tensor>()
    const copyOf = (t: Tensor): Tensor =>
      t.node.op === 'parameter' ? parameter(t.node.attributes.name as string, t.shape) : (copies.get(t) ?? constant(t))
    const constant = (t: Tensor): Tensor => fill(t.shape, t.node.attributes.value as number)
    const copyNode = (node: Node): void => {
      const copy = addNode(node.op, node.inputs.map(copyOf), node.outputs, node.attributes, { parameterOnly: false })
      node.outputs.forEach((t, i) => {
        copies.set(t, copy.outputs[i])
      })
    }
    for (const node of graph.scope.nodes) if (node.parameterOnly && node.op !== 'parameter') copyNode(node)
    const cotangents = new Cotangents()
    for (const [name, t] of derived)
      if (graph.sums.has(gradientName(name))) cotangents.add(copyOf(t), input(gradientName(name), t.shape))
    backward(pullback.scope, cotangents)
  })
  return pullback
}
