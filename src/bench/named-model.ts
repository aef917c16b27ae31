import type { TrainingPrograms } from '../compile/index.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'
import type { StepInputs } from './step.ts'

/** A model whose training step is measured. */
export interface NamedModel {
  readonly name: string
  /** Tokens of a sequence. */
  readonly length: number
  /** Sequences of a step. */
  readonly batch: number
  readonly vocabulary: number
  /** What peers build it from; absent where it is no transformer of a plan. */
  readonly config?: ModelConfig
  /** Of sequences of `length` tokens, by default the model's own. */
  programs(length?: number): TrainingPrograms
  parameters(seed: number): ParameterStore
  /** Sequences to compute on, where random tokens are not wanted. */
  draw?(count: number, seed: number): StepInputs
}
