import type { TrainingPrograms } from '../compile/index.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'

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
  programs(): TrainingPrograms
  parameters(seed: number): ParameterStore
}
