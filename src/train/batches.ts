/**
 * B sequences, T tokens each.
 */

import { LatheError } from '../settings/error.ts'
import { paddedLength, type Sample, type Task } from '../task/index.ts'

/** Sequences of a batch that are worked off at once: arrays `[B, T]`, as the training Program of that T takes them. */
export interface MicroBatch {
  readonly count: number
  /** T, padding and all. */
  readonly length: number
  readonly inputs: {
    readonly tokens: Int32Array
    readonly targets: Int32Array
    /** Sum to 1 over all parts of the batch. */
    readonly lossWeights: Float32Array
  }
}

export interface BatchSettings {
  readonly seed: number
  readonly batch: number
  /** Parts that the batch is worked off in. */
  readonly accumulation: number
}

/**
 * The batch of update `step`, counted from 0: training samples step · batch and on. Each part holds samples of about the
 * same length, padded to one, the shortest first. It depends on seed and step alone, so that a resumed run needs no more
 * than its step.
 */
export function drawBatch(task: Task, step: number, { seed, batch, accumulation }: BatchSettings): MicroBatch[] {
  const samples = Array.from({ length: batch }, (_, i) =>
    task.sample({ seed, split: 'train', index: step * batch + i }),
  )
  const total = samples.reduce((sum, { weights }) => weights.reduce((s, w) => s + w, sum), 0)
  const count = batch / accumulation
  return Array.from({ length: accumulation }, (_, part) => samples.slice(part * count, (part + 1) * count)).flatMap(
    (part) => byLength(task, part).map(([length, alike]) => stack(task, alike, length, total)),
  )
}

function byLength(task: Task, samples: readonly Sample[]): [length: number, alike: Sample[]][] {
  const groups = new Map<number, Sample[]>()
  for (const sample of samples) {
    const length = paddedLength(sample.tokens.length, task.length)
    const alike = groups.get(length)
    if (alike) alike.push(sample)
    else groups.set(length, [sample])
  }
  return [...groups].sort(([a], [b]) => a - b)
}

function stack(task: Task, samples: readonly Sample[], length: number, total: number): MicroBatch {
  const size = samples.length * length
  const tokens = new Int32Array(size)
  const targets = new Int32Array(size).fill(-1)
  const lossWeights = new Float32Array(size)
  for (const [b, sample] of samples.entries()) {
    // What is padded on the right is out of sight only where no position sees what follows it.
    if (sample.tokens.length < length && task.attention === 'bidirectional')
      throw new LatheError(`task ${task.name}: a bidirectional model trains on sequences of ${length} tokens only`)
    tokens.set(sample.tokens, b * length)
    targets.set(sample.targets, b * length)
    sample.weights.forEach((w, t) => {
      if (w !== 0) lossWeights[b * length + t] = w / total
    })
  }
  return { count: samples.length, length, inputs: { tokens, targets, lossWeights } }
}
