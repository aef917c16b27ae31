/**
 * The seam between Programs and machines, and what stands behind it.
 * @module
 */
export { chooseExecutor, type ExecutorChoice } from './choose.ts'
export * from './executor.ts'
export {
  type NativeOptions,
  nativeExecutor,
  nativeIsBuilt,
  nativePeak,
  nativeReadRate,
  nativeVariants,
} from './native/index.ts'
export { referenceExecutor } from './reference/index.ts'
export { StepRunner } from './step-runner.ts'
