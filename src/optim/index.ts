/**
 * Optimizers as Programs, learning-rate schedules, gradient clipping.
 * @module
 */
export { type AdafactorSettings, adafactor } from './adafactor.ts'
export { type AdamWSettings, adamw } from './adamw.ts'
export { clipScale } from './clip.ts'
export { type MuonSettings, muon } from './muon.ts'
export { type Optimizer, OptimizerRunner, type StateMap, type Update } from './optimizer.ts'
export { learningRate, type Schedule } from './schedule.ts'
