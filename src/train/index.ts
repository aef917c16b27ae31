/**
 * Training: runs, their folders and checkpoints.
 * @module
 */
export { BatchSource } from './batch-source.ts'
export { type BatchSettings, drawBatch, type MicroBatch } from './batches.ts'
export * from './checkpoint.ts'
export { describeEnvironment, type Environment, type Machine, machineOf } from './environment.ts'
export { type BatchGradients, GradientComputer } from './gradients.ts'
export * from './history.ts'
export { compileStep, memoryBudget, type Recompute, type RecomputeOptions } from './recompute.ts'
export * from './run-folder.ts'
export type { LogRecord } from './run-log.ts'
export { recipeLoops, recipeModel, recipeOptimizer, type Setup, setUp, setUpTraining } from './setup.ts'
export { openModel, type TrainedModel } from './trained-model.ts'
export {
  DivergedError,
  type StepEvent,
  type Stopped,
  type TrainingResult,
  type TrainOptions,
  train,
} from './trainer.ts'
