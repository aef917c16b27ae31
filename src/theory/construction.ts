import type { Model } from '../model/model-folder.ts'
import type { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { drawInSplit, type Sample, type Task } from '../task/index.ts'
import { RandomStream } from '../tensor/random.ts'
import type { Size } from './check-depth.ts'

/** A model that was written down, not trained, and what it solves. */
export interface Construction {
  /** As often as the theorem loops it. */
  readonly plan: LoopPlan
  readonly model: Model
  /** The text of every token id; the last is `#`, which stands in front of every sequence. */
  readonly vocabulary: readonly string[]
  readonly problem: Problem
  readonly sizes: Readonly<Record<string, Size>>
}

/** Sequences of n letters, and what a model that reads `#` in front of them is to say. */
export interface Problem {
  readonly name: string
  readonly letters: readonly string[]
  readonly n: number
  /** Random letters `[n]`. */
  draw(random: RandomStream): Int32Array
  /** For each of the letters `[n]` what is to be said there: a letter, `letters.length` for `#`, or −1 for anything. */
  answers(letters: Int32Array): Int32Array
}

/** The problem as a task like any other; right is what is right wherever something is to be said. */
export function taskOf(problem: Problem): Task {
  const { name, letters, n, draw } = problem
  const separator = letters.every((letter) => letter.length === 1) ? '' : ' '
  const vocabulary = [...letters, '#']

  function read(text: string, what: string): number {
    const id = letters.indexOf(text)
    if (id >= 0) return id
    throw new LatheError(`${what} is ${JSON.stringify(text)}: write one of ${letters.join(' ')}`)
  }

  function parse({ input, target }: { input: string; target?: string }): Sample {
    const ids = input.split(separator).map((text, i) => read(text, `input element ${i + 1}`))
    if (ids.length !== n) throw new LatheError(`input has ${ids.length} elements: write ${n}`)
    const sample = sampleOf(problem, Int32Array.from(ids))
    if (target !== undefined) sample.targets[n] = target === '#' ? letters.length : read(target, 'target')
    return sample
  }

  return {
    name,
    vocabulary,
    length: n + 1,
    attention: 'causal',
    chance: 1 / letters.length,
    shortcuts: [],
    sample: (key) =>
      sampleOf(
        problem,
        drawInSplit(name, key, draw, (drawn) => drawn),
      ),
    score: ({ targets }, predictions) => targets.every((target, i) => target < 0 || target === predictions[i]),
    parse,
    format: ({ tokens, targets }) => ({
      input: Array.from(tokens.subarray(1), (token) => vocabulary[token]).join(separator),
      target: vocabulary[targets.at(-1)!],
    }),
  }
}

function sampleOf({ letters, answers }: Problem, drawn: Int32Array): Sample {
  const targets = Int32Array.of(-1, ...answers(drawn))
  return {
    tokens: Int32Array.of(letters.length, ...drawn),
    targets,
    weights: Float32Array.from(targets, (target) => Number(target >= 0)),
  }
}

/** Random samples of a problem, or every one there is where those are no more than `count`. */
export function samplesOf(problem: Problem, count: number, seed: number): Sample[] {
  const { name, letters, n } = problem
  const all = letters.length ** n
  const nth = (index: number) =>
    Int32Array.from({ length: n }, (_, i) => Math.floor(index / letters.length ** i) % letters.length)
  const drawn = (index: number) => problem.draw(new RandomStream(seed, 'theory', name, index))
  return Array.from({ length: Math.min(all, count) }, (_, index) =>
    sampleOf(problem, all <= count ? nth(index) : drawn(index)),
  )
}
