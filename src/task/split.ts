import { LatheError } from '../settings/error.ts'
import { RandomStream } from '../tensor/random.ts'
import type { SampleKey, Split } from './task.ts'

const maxDraws = 1000

/** MurmurHash3 of 32-bit words (Appleby; the x86 32-bit variant, seed 0). */
export function contentHash(words: ArrayLike<number>): number {
  let hash = 0
  for (let i = 0; i < words.length; i++) {
    let word = Math.imul(words[i]!, 0xcc9e2d51)
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593)
    hash ^= word
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  hash ^= 4 * words.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Where content belongs, by its hash alone: 1/16 to validation, 1/16 to test, the rest to training. */
export function splitOf(content: ArrayLike<number>): Split {
  const part = contentHash(content) % 16
  return part === 0 ? 'validation' : part === 1 ? 'test' : 'train'
}

/**
 * Draws from the stream of (seed, task, split, index) until what is drawn belongs to the split that `key` asks for, so
 * that no training index can reach a held-out sequence. `contentOf` says what makes two draws the same: the tokens, or
 * a template; null says that such draws are never held out. Throws a LatheError after 1000 draws in vain.
 */
export function drawInSplit<T>(
  task: string,
  key: SampleKey,
  draw: (random: RandomStream) => T,
  contentOf: (drawn: T) => ArrayLike<number> | null,
): T {
  const random = new RandomStream(key.seed, 'task', task, key.split, key.index)
  for (let i = 0; i < maxDraws; i++) {
    const drawn = draw(random)
    const content = contentOf(drawn)
    if ((content === null ? 'train' : splitOf(content)) === key.split) return drawn
  }
  throw new LatheError(
    `task ${task}: none of ${maxDraws} draws belongs to its ${key.split} split: there are too few of them, so let the task's settings make more`,
  )
}
