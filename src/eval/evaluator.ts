/**
 * B sequences of a run, T tokens of a bucket.
 */

import type { Executor } from '../executor/executor.ts'
import { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { evaluationPrograms } from '../model/programs.ts'
import type { Looping } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { byPaddedLength, type Sample, stack, type Task } from '../task/index.ts'

/** How well a model does on some samples. */
export interface Evaluation {
  /** Fraction of samples whose answer is right by the task's metric, or of positions where the task counts those. */
  readonly accuracy: number
  /** Mean cross-entropy over the weighted targets, in nats. */
  readonly loss: number
  readonly samples: number
  /** Tokens of the samples, padding not counted. */
  readonly tokens: number
  /** The plan that was evaluated; the trained one may loop otherwise. */
  readonly plan: string
  readonly loops: number
}

// Ours: enough sequences to share out among workers, few enough that a run ends soon.
const sequencesPerRun = 256

/** One model shape made ready to be evaluated on one task, again and again while its weights change. */
export class Evaluator {
  private readonly runners = new Map<number, StepRunner>()
  private readonly config: ModelConfig

  /** Throws a LatheError when the model cannot hold the task. */
  constructor(
    private readonly executor: Executor,
    config: ModelConfig,
    private readonly task: Task,
    private readonly looping: Looping,
  ) {
    this.config = { ...config, plan: looping.plan.toString() }
    const { vocabulary, maxLength } = config
    if (task.vocabulary.length > vocabulary || task.length > maxLength)
      throw new LatheError(
        `task ${task.name} has ${task.vocabulary.length} token ids and ${task.length} tokens a sequence, ` +
          `but the model takes at most ${vocabulary} and ${maxLength}`,
      )
  }

  /** Evaluates on samples of any lengths up to the task's. */
  async evaluate(parameters: ParameterStore, samples: readonly Sample[]): Promise<Evaluation> {
    let [right, of, loss, weight, tokens] = [0, 0, 0, 0, 0]
    for await (const { sample, losses, predictions } of this.runs(parameters, samples)) {
      tokens += sample.tokens.length
      for (const [t, w] of sample.weights.entries()) {
        weight += w
        if (w !== 0) loss += w * losses[t]
      }
      const scored = this.score(sample, predictions)
      right += scored.right
      of += scored.of
    }
    const { plan, loops } = this.looping
    const [accuracy, meanLoss] = [right / of, loss / weight]
    return { accuracy, loss: meanLoss, samples: samples.length, tokens, plan: plan.toString(), loops }
  }

  /** The token id that the model predicts at every position of each sample. */
  async predict(parameters: ParameterStore, samples: readonly Sample[]): Promise<Int32Array[]> {
    const predicted = new Map<Sample, Int32Array>()
    for await (const { sample, predictions } of this.runs(parameters, samples)) predicted.set(sample, predictions)
    return samples.map((sample) => predicted.get(sample)!)
  }

  /** Every sample with its losses and predictions, both `[T]`; not in the order of the samples. */
  private async *runs(parameters: ParameterStore, samples: readonly Sample[]) {
    for (const [length, alike] of byPaddedLength(samples, this.task.length)) {
      for (let start = 0; start < alike.length; start += sequencesPerRun) {
        const part = alike.slice(start, start + sequencesPerRun)
        const { losses, predictions } = await this.run(parameters, part, length)
        for (const [b, sample] of part.entries()) {
          const [from, to] = [b * length, b * length + sample.tokens.length]
          yield { sample, losses: losses.subarray(from, to), predictions: predictions.subarray(from, to) }
        }
      }
    }
  }

  private score(sample: Sample, predictions: Int32Array): { right: number; of: number } {
    const { task } = this
    return task.tally?.(sample, predictions) ?? { right: Number(task.score(sample, predictions)), of: 1 }
  }

  private async run({ values, version }: ParameterStore, samples: readonly Sample[], length: number) {
    const { tokens, targets } = stack(samples, length)
    const segments = new Int32Array(tokens.length).fill(1)
    for (const [b, sample] of samples.entries()) segments.fill(0, b * length, b * length + sample.tokens.length)
    const inputs = { tokens, targets, segments }
    const outputs = await this.runner(length).run({ count: samples.length, parameters: values, inputs, version })
    return { losses: outputs.losses as Float32Array, predictions: outputs.predictions as Int32Array }
  }

  private runner(length: number): StepRunner {
    const known = this.runners.get(length)
    if (known) return known
    const runner = new StepRunner(this.executor, evaluationPrograms(this.config, length))
    this.runners.set(length, runner)
    return runner
  }
}
