/**
 * The plan of a looped model, one short string such as `4,4x4,4`, and what it costs.
 * @module
 */
export type { LayerShape, ModelShape } from './cost.ts'
export {
  forwardFlopsPerToken,
  inferenceFlopsPerToken,
  layerParameters,
  parameters,
  trainingFlopsPerToken,
} from './cost.ts'
export type { Segment } from './loop-plan.ts'
export { LoopPlan } from './loop-plan.ts'
export { asPlanned, type Looping, loopedAt, parseLoops, usualLoops } from './looping.ts'
