import type { Executor } from '../executor/executor.ts'
import type { Generated, GenerateOptions } from '../generate/generator.ts'
import type { Model } from '../model/model-folder.ts'
import { asPlanned, type Looping, LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import type { Sample, Task } from '../task/index.ts'
import { Evaluator } from './evaluator.ts'
import { isRight, isWritten, type WritingTask, writeAnswers } from './written.ts'

/** A model's answer to one sample, in the text form of the task. */
export interface Answer {
  readonly input: string
  readonly generated: string
  readonly target: string
  readonly right: boolean
  /** Of an answer that was written. */
  readonly ended?: Generated['ended']
  /** Of an answer that was written, in nats. */
  readonly logProbability?: number
}

export interface AnswerOptions extends Omit<GenerateOptions, 'end' | 'onToken'> {
  readonly loops?: Looping
  /** Is told how the text of the first written answer grows. */
  onText?(text: string): void
}

/**
 * Answers samples in words: writes the answers of tasks that are written, and reads the predictions of others.
 * Throws a LatheError where options ask for a way of writing and nothing is written.
 */
export async function answerSamples(
  model: Model,
  task: Task,
  executor: Executor,
  samples: readonly Sample[],
  options: AnswerOptions = {},
): Promise<Answer[]> {
  if (isWritten(task)) return write(model, task, executor, samples, options)
  const { loops = asPlanned(LoopPlan.parse(model.config.plan)), maxTokens, temperature, topK, topP } = options
  if ([maxTokens, temperature, topK, topP].some((given) => given !== undefined))
    throw new LatheError(
      `task ${task.name} is answered by what stands at its positions, and nothing is written: ` +
        'leave out maxTokens, temperature, topK and topP',
    )
  const predicted = await new Evaluator(executor, model.config, task, loops).predict(model.parameters, samples)
  return samples.map((sample, i) => {
    const targets = sample.targets.map((target, t) => (target < 0 ? target : predicted[i][t]))
    const generated = task.format({ ...sample, targets }).target
    return { ...task.format(sample), generated, right: task.score(sample, predicted[i]) }
  })
}

async function write(
  model: Model,
  task: WritingTask,
  executor: Executor,
  samples: readonly Sample[],
  { onText, ...options }: AnswerOptions,
): Promise<Answer[]> {
  const first: number[] = []
  const onToken = (sequence: number, token: number): void => {
    if (sequence > 0) return
    first.push(token)
    onText?.(inWords(task, samples[0], first))
  }
  const answers = await writeAnswers(model, task, executor, samples, { ...options, onToken })
  return answers.map((answer, i) => ({
    ...task.format(samples[i]),
    generated: inWords(task, samples[i], answer.tokens),
    right: isRight(task, samples[i], answer),
    ended: answer.ended,
    logProbability: answer.logProbability,
  }))
}

/** Token ids in place of a sample's answer, in the task's text form. */
function inWords(task: WritingTask, sample: Sample, answer: ArrayLike<number>): string {
  const from = task.written.promptLength(sample)
  const tokens = Int32Array.of(...sample.tokens.subarray(0, from), ...Array.from(answer))
  const targets = new Int32Array(tokens.length).fill(-1)
  targets.set([...tokens.subarray(from), task.written.end], from - 1)
  return task.format({ tokens, targets, weights: new Float32Array(tokens.length) }).target
}
