import type { Shortcut } from '../task.ts'

/** What can be reached at one hop count without as many hops; both accuracies are exact for sequences of n letters. */
export function shortcuts(n: number, hopCount: number, alphabet: number): Shortcut[] {
  const all = [
    {
      name: 'exclusion',
      accuracy: 1 / (alphabet - 1),
      note: 'a guess among the letters that are not hop h − 1, which the answer never equals',
    },
    {
      name: 'hop h − 2',
      accuracy: returnShare(n, hopCount, alphabet),
      note: 'two hops too few: a hop leads back to the letter before it more often than to any other',
    },
  ]
  return all.slice(0, hopCount)
}

/**
 * Among the letters with a defined hop h, the expected share whose hop h is the letter of hop h − 2. A hop from a letter
 * c walks left from the neighbour, b, until the next letter is c; where it stands then is the answer, and after the
 * first hop b is the hop before. Read leftwards, too, every letter is uniform over those that its neighbour is not.
 */
function returnShare(n: number, hopCount: number, alphabet: number): number {
  const others = alphabet - 1
  let landed = new Float64Array(n + 2).fill(1, 1, n + 1) // expected walks that stand at each letter, counted from 1
  let share = 0
  for (let hop = 1; hop <= hopCount; hop++) {
    const next = new Float64Array(n + 2)
    let [atB, elsewhere, right, of] = [0, 0, 0, 0]
    for (let i = n; i >= 2; i--) {
      const left = ((others - 1) * atB + (others - 2) * elsewhere) / others
      atB = landed[i + 1] + elsewhere / others
      elsewhere = left
      next[i] = (atB + elsewhere) / others
      right += atB
      of += atB + elsewhere
    }
    landed = next
    share = right / of
  }
  return share
}
