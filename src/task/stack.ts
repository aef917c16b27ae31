import type { Sample } from './task.ts'

/** Samples, each padded on the right to `length`: `[B, T]` each. Padding has token 0, target -1 and weight 0. */
export function stack(samples: readonly Sample[], length: number) {
  const size = samples.length * length
  const tokens_BT = new Int32Array(size)
  const targets_BT = new Int32Array(size).fill(-1)
  const weights_BT = new Float32Array(size)
  for (const [b, { tokens, targets, weights }] of samples.entries()) {
    tokens_BT.set(tokens, b * length)
    targets_BT.set(targets, b * length)
    weights_BT.set(weights, b * length)
  }
  return { tokens: tokens_BT, targets: targets_BT, weights: weights_BT }
}

/** The sum of all loss weights, by which they are divided to make a mean. */
export const totalWeight = (samples: readonly Sample[]): number =>
  samples.reduce((sum, { weights }) => weights.reduce((s, w) => s + w, sum), 0)
