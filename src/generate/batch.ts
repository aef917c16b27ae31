/**
 * B sequences that are read side by side, T tokens of each.
 */
import type { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { paddedLength } from '../task/index.ts'
import type { Cache } from './cache.ts'

/** A sequence that is being written. */
export interface Sequence {
  readonly index: number
  readonly promptLength: number
  /** Prompt and new tokens. */
  readonly tokens: number[]
  /** The most tokens that it may have. */
  readonly limit: number
  /** How many of its tokens the cache holds. */
  cached: number
  logProbability: number
  ended?: 'end' | 'length'
}

/** Sequences on a cache, each in a place of it; those that end make room, so that the rest go on as a smaller run. */
export class Batch {
  constructor(
    private readonly config: ModelConfig,
    private readonly parameters: ParameterStore,
    private readonly cache: Cache,
    /** What reads so many tokens. */
    private readonly runner: (length: number) => StepRunner,
    /** Gives a sequence its next token by the logits `[V]`, or ends it. */
    private readonly choose: (sequence: Sequence, logits: Float32Array) => void,
  ) {}

  /** Writes sequences, which come shortest prompt first, to their ends. */
  async finish(sequences: readonly Sequence[]): Promise<void> {
    const going = [...sequences]
    for (let place = 0; place < going.length; ) {
      const length = paddedLength(going[place].promptLength, this.config.maxLength)
      const alike = going.slice(place).filter(({ promptLength }) => promptLength <= length)
      await this.read(alike, place, length)
      place += alike.length
    }
    this.dropEnded(going)
    while (going.length > 0) {
      await this.read(going, 0, 1)
      this.dropEnded(going)
    }
  }

  /** The last sequence takes the place of one that has ended. */
  private dropEnded(going: Sequence[]): void {
    for (let place = going.length - 1; place >= 0; place--) {
      if (!going[place].ended) continue
      const last = going.pop()!
      if (place === going.length) continue
      going[place] = last
      this.cache.move(going.length, place)
    }
  }

  /** Reads what the cache does not hold yet of the sequences in places from `first` on, and gives each its next token. */
  private async read(sequences: readonly Sequence[], first: number, length: number): Promise<void> {
    const { maxLength, vocabulary } = this.config
    const count = sequences.length
    const [tokens, positions] = [new Int32Array(count * length), new Int32Array(count * length)]
    for (const [b, sequence] of sequences.entries()) {
      tokens.set(sequence.tokens.slice(sequence.cached), b * length)
      for (let t = 0; t < length; t++) positions[b * length + t] = Math.min(sequence.cached + t, maxLength - 1)
    }
    const start = Int32Array.from(sequences, ({ cached }) => cached)
    const last = Int32Array.from(sequences, ({ tokens, cached }) => tokens.length - cached - 1)
    const { logits } = await this.runner(length).run({
      count,
      parameters: this.parameters.values,
      version: this.parameters.version,
      inputs: { tokens, positions, start, last, slot: new Int32Array(count) },
      states: this.cache.of(first, count),
    })
    for (const [b, sequence] of sequences.entries()) {
      sequence.cached = sequence.tokens.length
      this.choose(sequence, (logits as Float32Array).subarray(b * vocabulary, (b + 1) * vocabulary))
    }
  }
}
