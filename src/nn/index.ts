/**
 * Layers and recurrence policies as functions over symbolic tensors.
 * @module
 */
export { feedForward, type LayerSettings, layer, type Sequence, selfAttention } from './layer.ts'
export { linear, type NormSettings, normalize } from './linear.ts'
export { fixedCount, type LoopPosition, type Recurred, type Recurrence, type Tap } from './recurrence.ts'
