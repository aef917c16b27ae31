import type { Sample } from './task.ts'

// Ours: few enough lengths that each is compiled once and soon, close enough that little is spent on padding.
const step = 16

/** Tokens that a sequence is padded to on the right: the next multiple of 16, or `longest` where that is less. */
export const paddedLength = (length: number, longest: number): number =>
  Math.min(longest, Math.ceil(length / step) * step)

/** Samples by the length that they are padded to, the shortest first. */
export function byPaddedLength(samples: readonly Sample[], longest: number): Map<number, Sample[]> {
  const groups = new Map<number, Sample[]>()
  for (const sample of samples) {
    const length = paddedLength(sample.tokens.length, longest)
    const alike = groups.get(length)
    if (alike) alike.push(sample)
    else groups.set(length, [sample])
  }
  return new Map([...groups].sort(([a], [b]) => a - b))
}
