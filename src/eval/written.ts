import type { Executor } from '../executor/executor.ts'
import { type Generated, type GenerateOptions, generate } from '../generate/generator.ts'
import type { Model } from '../model/model-folder.ts'
import type { Looping } from '../plan/index.ts'
import type { Sample, Task, WrittenAnswer } from '../task/task.ts'

/** How well a model answers where it goes on from what it wrote itself, slips and all. */
export interface WrittenEvaluation {
  /** Fraction of answers that came to their end and are right by the task's own judgement, whatever the way to them. */
  readonly answerAccuracy: number
  /** Fraction of answers that did not end within the task's length; they count as wrong. */
  readonly unfinished: number
}

export type WritingTask = Task & { readonly written: WrittenAnswer }

/** Whether the task has answers that are written token by token. */
export const isWritten = (task: Task): task is WritingTask => task.written !== undefined

/** Lets a model write the answers of samples of which it sees the problems alone, by default as long as the task's. */
export function writeAnswers(
  model: Model,
  { written, length }: WritingTask,
  executor: Executor,
  samples: readonly Sample[],
  options: Omit<GenerateOptions, 'end'> & { readonly loops?: Looping } = {},
): Promise<Generated[]> {
  const prompts = samples.map((sample) => sample.tokens.subarray(0, written.promptLength(sample)))
  const { maxTokens = 1 + Math.max(0, ...prompts.map((prompt) => length - prompt.length)) } = options
  return generate(model, executor, prompts, { ...options, maxTokens, end: written.end })
}

/** Whether a written answer is right; one that did not come to its end is not. */
export const isRight = ({ written }: WritingTask, sample: Sample, { tokens, ended }: Generated): boolean =>
  ended === 'end' && written.judge(sample, tokens)

/** Judges the answers that a model writes greedily, as it was trained or looped otherwise. */
export async function evaluateWritten(
  model: Model,
  task: WritingTask,
  executor: Executor,
  samples: readonly Sample[],
  loops?: Looping,
): Promise<WrittenEvaluation> {
  const answers = await writeAnswers(model, task, executor, samples, { loops })
  const right = answers.filter((answer, i) => isRight(task, samples[i], answer))
  const unfinished = answers.filter(({ ended }) => ended === 'length')
  return { answerAccuracy: right.length / samples.length, unfinished: unfinished.length / samples.length }
}
