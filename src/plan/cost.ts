import type { LoopPlan } from './loop-plan.ts'

/** What the parameters and FLOPs of one transformer layer depend on. */
export interface LayerShape {
  readonly dModel: number
  readonly nHeads: number
  /** Width of a head's queries and keys. */
  readonly dHead: number
  /** Width of a head's values. */
  readonly dHeadValue: number
  readonly dFf: number
  /** Whether the feed-forward has a gate (SwiGLU), a third matrix. */
  readonly gated: boolean
  /** Whether linear maps, and layer norms, have biases; the head never has one. */
  readonly bias: boolean
  readonly norm: 'rms' | 'layer' | 'none'
}

/** What the parameters and FLOPs of a whole model depend on, besides its plan. */
export interface ModelShape extends LayerShape {
  readonly vocabulary: number
  /** Whether the head shares the embedding's matrix. */
  readonly tiedHead: boolean
  readonly finalNorm: boolean
  readonly positions: 'rope' | 'learned' | 'none'
  /** Rows of the learned position table. */
  readonly maxLength: number
}

/** Weights of the linear maps of one layer, biases not counted: what a token is multiplied by. */
function layerWeights({ dModel, nHeads, dHead, dHeadValue, dFf, gated }: LayerShape): number {
  const attention = 2 * dModel * nHeads * dHead + 2 * dModel * nHeads * dHeadValue
  return attention + (gated ? 3 : 2) * dModel * dFf
}

function normParameters({ dModel, norm, bias }: LayerShape): number {
  if (norm === 'none') return 0
  return norm === 'layer' && bias ? 2 * dModel : dModel
}

/** Parameters of one distinct layer: four attention maps, two or three feed-forward maps, two norms. */
export function layerParameters(shape: LayerShape): number {
  const { dModel, nHeads, dHead, dHeadValue, dFf, gated, bias } = shape
  const biases = 2 * nHeads * dHead + nHeads * dHeadValue + dModel + (gated ? 2 : 1) * dFf + dModel
  return layerWeights(shape) + (bias ? biases : 0) + 2 * normParameters(shape)
}

/** Parameters of the whole model; a looped layer counts once. */
export function parameters(plan: LoopPlan, shape: ModelShape): number {
  const { dModel, vocabulary, tiedHead, finalNorm, positions, maxLength } = shape
  const embeddings = vocabulary * dModel + (positions === 'learned' ? maxLength * dModel : 0)
  const outputs = (finalNorm ? normParameters(shape) : 0) + (tiedHead ? 0 : vocabulary * dModel)
  return embeddings + plan.distinctLayers * layerParameters(shape) + outputs
}

/** FLOPs of one token that attends to `keys` keys: matrix products alone, a multiply and an add counted as 2. */
function flopsPerToken(plan: LoopPlan, shape: ModelShape, keys: number): number {
  const attention = 2 * keys * shape.nHeads * (shape.dHead + shape.dHeadValue)
  return plan.effectiveDepth * (2 * layerWeights(shape) + attention) + 2 * shape.vocabulary * shape.dModel
}

/**
 * FLOPs per token of one forward pass over sequences of `length` tokens. Causal attention counts half of full;
 * embedding look-ups, norms, biases and activations count nothing.
 */
export function forwardFlopsPerToken(
  plan: LoopPlan,
  shape: ModelShape,
  { length, causal }: { length: number; causal: boolean },
): number {
  return flopsPerToken(plan, shape, causal ? length / 2 : length)
}

/** FLOPs per token of one training step: forward once, backward twice that; recomputation is not counted. */
export function trainingFlopsPerToken(
  plan: LoopPlan,
  shape: ModelShape,
  options: { length: number; causal: boolean },
): number {
  return 3 * forwardFlopsPerToken(plan, shape, options)
}

/** FLOPs of decoding one token after `context` cached ones: it attends to them and to itself. */
export function inferenceFlopsPerToken(plan: LoopPlan, shape: ModelShape, { context }: { context: number }): number {
  return flopsPerToken(plan, shape, context + 1)
}
