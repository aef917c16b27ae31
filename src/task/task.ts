import type { z } from 'zod'
import { LatheError } from '../settings/error.ts'

/** Training sequences never occur in `validation` or `test`, whatever the seed and the index. */
export type Split = 'train' | 'validation' | 'test'

/** Names one sample of a task: the same key is the same sample, on every machine. */
export interface SampleKey {
  readonly seed: number
  readonly split: Split
  readonly index: number
}

/** One sequence, T tokens long. A batch may pad it on the right with any token, target -1 and weight 0. */
export interface Sample {
  /** [T] token ids. */
  readonly tokens: Int32Array
  /** [T] the token id that each position should predict, -1 where there is none. */
  readonly targets: Int32Array
  /** [T] loss weights, not normalised; 0 where there is no target. */
  readonly weights: Float32Array
}

/** One problem as people write it; without a target, the definition's answer is the target. */
export interface Example {
  readonly input: string
  readonly target?: string
}

/** A way to score without solving the task, and the accuracy (a fraction) that it reaches. */
export interface Shortcut {
  readonly name: string
  readonly accuracy: number
  readonly note: string
}

/** How an answer is written, token by token, after its problem. */
export interface WrittenAnswer {
  /** Tokens of `sample` that are the problem. The last of them predicts the first of the answer. */
  promptLength(sample: Sample): number
  /** Accuracy of a blind guess at the final answer, a fraction. */
  readonly chance: number
  /** The token id that ends an answer; a target only, never one of `sample.tokens`. */
  readonly end: number
  /** Whether the final answer in these token ids is right, however it was reached; `end` is not among them. */
  judge(sample: Sample, answer: Int32Array): boolean
}

/** Something to learn: where its sequences come from, how they are written, and when an answer is right. */
export interface Task {
  readonly name: string
  /** The text of every token id. */
  readonly vocabulary: readonly string[]
  /** Tokens of the longest sample. */
  readonly length: number
  /** The attention that the task is meant for. */
  readonly attention: 'causal' | 'bidirectional'
  /** What a blind guess has by `score`, a fraction. */
  readonly chance: number
  readonly shortcuts: readonly Shortcut[]
  /** The sample of that key. Throws a LatheError when the settings leave too few sequences to fill the split. */
  sample(key: SampleKey): Sample
  /** Whether the answer is right by the paper's metric. `predictions` holds a token id for every position of `sample`. */
  score(sample: Sample, predictions: Int32Array): boolean
  /** For a metric that counts positions and not samples: accuracy is then Σ right / Σ of over the samples. */
  tally?(sample: Sample, predictions: Int32Array): { right: number; of: number }
  /** Absent where a single position holds the answer. */
  readonly written?: WrittenAnswer
  /**
   * Reads the task's own text form. A given target is what will be scored, right or wrong. Throws an
   * UndefinedAnswerError when the problem has no answer, and a LatheError for what cannot be read.
   */
  parse(example: Example): Sample
  /** Writes the text form that `parse` reads. */
  format(sample: Sample): { input: string; target: string }
}

/** A family of tasks, one for every choice of its settings. */
export interface TaskDefinition<S = unknown> {
  readonly name: string
  /** One sentence that says what is to be learned. */
  readonly description: string
  /** A strict schema in which every setting has a default. */
  readonly settings: z.ZodType<S>
  create(settings: S): Task
  /** The settings of the papers, by name. */
  readonly paper: Readonly<Record<string, Partial<S>>>
}

/** The problem can be read, but has no answer: it is to be named, and not scored. */
export class UndefinedAnswerError extends LatheError {
  override name = 'UndefinedAnswerError'
}
