import type { RandomStream } from '../../tensor/random.ts'
import { UndefinedAnswerError } from '../task.ts'

/** A problem in words, each one token, and its answer. */
export interface Drawn {
  readonly words: readonly string[]
  readonly answer: string
}

export const alphabet = [...'abcdefghijklmnopqrstuvwxyz']
export const listLength = 10
export const repeatLength = 5

/**
 * Ten different items, then five of them again that stood side by side, where at least one more followed. The recalled
 * shape of the paper has random three-letter words; here an item is one letter, so that it is one token.
 */
export function drawCopy(random: RandomStream): Drawn {
  const items = random.shuffle([...alphabet]).slice(0, listLength)
  const start = random.integer(listLength - repeatLength)
  const end = start + repeatLength
  return { words: [...items, ...items.slice(start, end)], answer: items[end]! }
}

/**
 * The item after the earlier occurrence of the longest repeated end of the sequence; of several, after the latest.
 * Throws an UndefinedAnswerError when the last item never occurred before.
 */
export function copied(items: readonly string[]): string {
  let [longest, after] = [0, -1]
  for (let i = items.length - 2; i >= 0; i--) {
    let length = 0
    while (length <= i && items[i - length] === items[items.length - 1 - length]) length++
    if (length > longest) [longest, after] = [length, i + 1]
  }
  if (longest > 0) return items[after]!
  throw new UndefinedAnswerError(`input has no answer: its last item, ${items.at(-1)}, does not occur before`)
}
