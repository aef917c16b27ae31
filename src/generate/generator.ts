import type { Executor } from '../executor/executor.ts'
import { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import { decodePrograms } from '../model/decode-programs.ts'
import type { Model } from '../model/model-folder.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { asPlanned, type Looping, LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { parseSettings } from '../settings/index.ts'
import { paddedLength } from '../task/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { Batch, type Sequence } from './batch.ts'
import { Cache } from './cache.ts'
import { chooseToken, logProbability, type Sampling, samplingSchema } from './sampling.ts'

export interface GenerateOptions extends Partial<Sampling> {
  /** The most new tokens of a sequence. Default: as many as the model has positions for. */
  readonly maxTokens?: number
  /** The token that ends a sequence. */
  readonly end?: number
  /** Is told of every new token but `end` as it comes; sequences count from 0 in the order of the prompts. */
  onToken?(sequence: number, token: number): void
}

/** What was written after a prompt. */
export interface Generated {
  /** Without the prompt and without `end`. */
  readonly tokens: Int32Array
  /** The sum of the log-probabilities that the model gives them, and `end` where it came, at temperature 1, in nats. */
  readonly logProbability: number
  readonly ended: 'end' | 'length'
}

/** One model made ready to write, again and again while its weights change. */
export class Generator {
  private readonly runners = new Map<string, StepRunner>()

  constructor(
    private readonly executor: Executor,
    private readonly config: ModelConfig,
  ) {}

  /**
   * Writes on from every prompt, a token at a time. What comes depends on the prompt, its place among the prompts and the
   * seed, not on the others: the random number of a token has the key (seed, 'generate', sequence, position).
   * Throws a LatheError for a prompt that the model cannot read, and for options out of range.
   */
  async generate(
    parameters: ParameterStore,
    prompts: readonly Int32Array[],
    options: GenerateOptions = {},
  ): Promise<Generated[]> {
    const choose = chooser(options)
    const sequences = prompts.map((prompt, index) => this.sequence(prompt, index, options.maxTokens))
    if (sequences.length === 0) return []
    const rows = Math.max(...sequences.map(({ limit }) => limit - 1)) // the last token is not read again
    const capacity = paddedLength(rows, this.config.maxLength)
    const runner = (length: number) => this.runner(length, capacity)
    const cache = new Cache(runner(1).main.program.states, sequences.length)
    const batch = new Batch(this.config, parameters, cache, runner, choose)
    const waiting = sequences.toSorted((a, b) => a.promptLength - b.promptLength)
    while (waiting.length > 0) await batch.finish(waiting.splice(0, cache.places))
    return sequences.map(({ tokens, promptLength, logProbability, ended }) => {
      return { tokens: Int32Array.from(tokens.slice(promptLength)), logProbability, ended: ended! }
    })
  }

  private sequence(prompt: Int32Array, index: number, maxTokens = Number.POSITIVE_INFINITY): Sequence {
    const { maxLength, vocabulary } = this.config
    const refuse = (problem: string) => new LatheError(`prompt ${index + 1} ${problem}`)
    if (prompt.length === 0) throw refuse('is empty: give one token or more')
    if (prompt.length > maxLength) throw refuse(`has ${prompt.length} tokens: the model reads at most ${maxLength}`)
    const at = prompt.findIndex((token) => token < 0 || token >= vocabulary)
    if (at >= 0) throw refuse(`holds ${prompt[at]} at ${at}: the model has token ids 0 to ${vocabulary - 1}`)
    const limit = Math.min(prompt.length + maxTokens, maxLength + 1)
    return { index, promptLength: prompt.length, tokens: [...prompt], limit, cached: 0, logProbability: 0 }
  }

  private runner(length: number, capacity: number): StepRunner {
    const key = `${length} of ${capacity}`
    const known = this.runners.get(key)
    if (known) return known
    const runner = new StepRunner(this.executor, decodePrograms(this.config, length, capacity))
    this.runners.set(key, runner)
    return runner
  }
}

/** What gives a sequence its next token, or ends it. */
function chooser({ maxTokens = 1, end, onToken, ...settings }: GenerateOptions) {
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    throw new LatheError(`maxTokens must be a whole number from 1, got ${maxTokens}`)
  const sampling = parseSettings(samplingSchema, settings, 'sampling')
  return (sequence: Sequence, logits: Float32Array): void => {
    const { index, tokens } = sequence
    const token = chooseToken(logits, sampling, () => new RandomStream(sampling.seed, 'generate', index, tokens.length))
    sequence.logProbability += logProbability(logits, token)
    if (token === end) {
      sequence.ended = 'end'
      return
    }
    tokens.push(token)
    if (tokens.length === sequence.limit) sequence.ended = 'length'
    onToken?.(index, token)
  }
}

/** Writes on from prompts with a model as it was trained, or looped otherwise. */
export function generate(
  { config, parameters }: Model,
  executor: Executor,
  prompts: readonly Int32Array[],
  options: GenerateOptions & { readonly loops?: Looping } = {},
): Promise<Generated[]> {
  const { loops = asPlanned(LoopPlan.parse(config.plan)), ...rest } = options
  return new Generator(executor, { ...config, plan: loops.plan.toString() }).generate(parameters, prompts, rest)
}
