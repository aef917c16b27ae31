/**
 * B sequences, T tokens each.
 */

import { LatheError } from '../settings/error.ts'
import { byPaddedLength, type Sample, stack, type Task, totalWeight } from '../task/index.ts'

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
  const total = totalWeight(samples)
  const count = batch / accumulation
  return Array.from({ length: accumulation }, (_, part) => samples.slice(part * count, (part + 1) * count)).flatMap(
    (part) =>
      Array.from(byPaddedLength(part, task.length), ([length, alike]) => microBatch(task, alike, length, total)),
  )
}

function microBatch(task: Task, samples: readonly Sample[], length: number, total: number): MicroBatch {
  // What is padded on the right is out of sight only where no position sees what follows it.
  if (task.attention === 'bidirectional' && samples.some(({ tokens }) => tokens.length < length))
    throw new LatheError(`task ${task.name}: a bidirectional model trains on sequences of ${length} tokens only`)
  const { tokens, targets, weights } = stack(samples, length)
  return { count: samples.length, length, inputs: { tokens, targets, lossWeights: weights.map((w) => w / total) } }
}
