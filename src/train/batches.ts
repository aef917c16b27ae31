/**
 * B sequences, T tokens each.
 */

import { LatheError } from '../settings/error.ts'
import type { Task } from '../task/index.ts'

/** The part of a batch that is worked off at once: arrays `[B, T]`, as the training Program takes them. */
export interface MicroBatch {
  readonly count: number
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
 * The batch of update `step`, counted from 0: training samples step · batch and on, padded to the task's length.
 * It depends on seed and step alone, so that a resumed run needs no more than its step.
 */
export function drawBatch(task: Task, step: number, { seed, batch, accumulation }: BatchSettings): MicroBatch[] {
  const samples = Array.from({ length: batch }, (_, i) =>
    task.sample({ seed, split: 'train', index: step * batch + i }),
  )
  const total = samples.reduce((sum, { weights }) => weights.reduce((s, w) => s + w, sum), 0)
  const count = batch / accumulation
  return Array.from({ length: accumulation }, (_, part) => {
    const tokens = new Int32Array(count * task.length)
    const targets = new Int32Array(count * task.length).fill(-1)
    const lossWeights = new Float32Array(count * task.length)
    for (const [b, sample] of samples.slice(part * count, (part + 1) * count).entries()) {
      // What is padded on the right is out of sight only where no position sees what follows it.
      if (sample.tokens.length < task.length && task.attention === 'bidirectional')
        throw new LatheError(
          `task ${task.name}: a bidirectional model trains on sequences of ${task.length} tokens only`,
        )
      tokens.set(sample.tokens, b * task.length)
      targets.set(sample.targets, b * task.length)
      sample.weights.forEach((w, t) => {
        if (w !== 0) lossWeights[b * task.length + t] = w / total
      })
    }
    return { count, inputs: { tokens, targets, lossWeights } }
  })
}
