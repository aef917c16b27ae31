/**
 * The transformer of a loop plan. T positions, d model width, V vocabulary.
 */
import { parameter, type Tensor } from '../graph/graph.ts'
import { fixedCount, layer, normalize, type Recurrence, type Sequence, type Tap } from '../nn/index.ts'
import { add, div, embed, mul, slice, sub, sum, sumRows, type Tensors, unary } from '../ops/index.ts'
import { LoopPlan, type Segment } from '../plan/index.ts'
import type { ModelConfig } from './config.ts'

export interface Traced {
  /** `[T, d]`, after the final norm. */
  readonly hidden: Tensor
  /** `[V, d]`: logits = hidden · headᵀ. */
  readonly head: Tensor
  /** Per segment, what `tap` read after each of its loops. */
  readonly taps: readonly Tensors[]
}

export interface TransformerOptions {
  readonly tap?: Tap
  /** How a segment repeats. Default: the plan's count of loops. */
  readonly recurrence?: (segment: Segment) => Recurrence
}

/**
 * Embedding, then every segment of the plan as often as it says, then the final norm: embedding and head stand outside of
 * the loops and run once (Saunshi et al. 2025, §5.1, App. B). Norm, activation and biases are settings: the paper names none.
 */
export function transformer(config: ModelConfig, tokens: Tensor, options: Sequence & TransformerOptions = {}): Traced {
  const { tap, recurrence = ({ loops }) => fixedCount(loops), ...sequence } = options
  const { dModel, vocabulary } = config
  const table = parameter('model.embed_tokens.weight', [vocabulary, dModel])
  let x = embed(table, tokens)
  if (config.positions === 'learned') {
    const rows = parameter('model.embed_positions.weight', [config.maxLength, dModel])
    x = add(x, sequence.positions ? embed(rows, sequence.positions) : slice(rows, 0, 0, tokens.shape[0]))
  }
  const taps = LoopPlan.parse(config.plan).segments.map((segment) => {
    const names = Array.from({ length: segment.layers }, (_, i) => `model.layers.${segment.firstLayer + i}`)
    const block = (state: Tensor) => names.reduce((h, name) => layer(name, h, config, sequence), state)
    const recurred = recurrence(segment).run(x, block, tap)
    x = recurred.x
    return recurred.taps
  })
  const hidden = config.finalNorm ? normalize('model.norm', x, config) : x
  const head = config.tiedHead ? table : parameter('lm_head.weight', [vocabulary, dModel])
  return { hidden, head, taps }
}

/** Mean over positions of the L2 norm of the state after a loop, and of what the loop changed: scalars. */
export const normTap: Tap = ({ before, after }) => ({
  stateNorm: meanRowNorm(after),
  updateNorm: meanRowNorm(sub(after, before)),
})

// The small number keeps a derivative at zero finite; no norm that is logged shows it.
const meanRowNorm = (x: Tensor): Tensor => div(sum(unary('sqrt', add(sumRows(mul(x, x)), 1e-12))), x.shape[0])
