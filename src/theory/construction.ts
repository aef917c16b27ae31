import type { Model } from '../model/model-folder.ts'
import type { LoopPlan } from '../plan/index.ts'
import type { TaskSettings } from '../task/index.ts'
import { RandomStream } from '../tensor/random.ts'
import type { Size } from './check.ts'

/** A model that was written down, not trained, and what it solves. */
export interface Construction {
  /** As often as the theorem loops it. */
  readonly plan: LoopPlan
  readonly model: Model
  /** The text of every token id; the last is `#`, which stands in front of every sequence. */
  readonly vocabulary: readonly string[]
  readonly problem: Problem
  /** The problem as a task like any other. */
  readonly task: TaskSettings
  readonly sizes: Readonly<Record<string, Size>>
}

/** Sequences of n letters, and what a model that reads `#` in front of them is to say. */
export interface Problem {
  readonly name: string
  /** Letters to choose from; `#` is the token id after them. */
  readonly letters: number
  readonly n: number
  /** Random letters `[n]`. */
  draw(random: RandomStream): Int32Array
  /** For each of the letters `[n]` what is to be said there: a token id, or −1 for anything. */
  answers(letters: Int32Array): Int32Array
}

/** Random letters `[n]` of a problem, `count` times, or every sequence there is where those are no more. */
export function lettersOf({ name, letters, n, draw }: Problem, count: number, seed: number): Int32Array[] {
  const all = letters ** n
  const nth = (index: number) => Int32Array.from({ length: n }, (_, i) => Math.floor(index / letters ** i) % letters)
  return Array.from({ length: Math.min(all, count) }, (_, index) =>
    all <= count ? nth(index) : draw(new RandomStream(seed, 'theory', name, index)),
  )
}

/** Sequences `[B, n]` with a dummy in front of each, `[B, n + 1]`. */
export function withDummyFirst(sequences: readonly Int32Array[], dummy: number): Int32Array {
  const length = sequences[0].length + 1
  const tokens = new Int32Array(sequences.length * length).fill(dummy)
  for (const [b, letters] of sequences.entries()) tokens.set(letters, b * length + 1)
  return tokens
}
