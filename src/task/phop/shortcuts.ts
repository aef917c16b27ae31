import { RandomStream } from '../../tensor/random.ts'
import type { Shortcut } from '../task.ts'
import { hops } from './definition.ts'
import { generate } from './generate.ts'

/**
 * What can be reached without p hops. The first three accuracies are exact for our generator, whose c_0 … c_p is a walk
 * that never stays on its letter; the others, of counting letters alone, are measured, on fresh sequences of it.
 */
export function shortcuts(n: number, p: number, alphabet: number): Shortcut[] {
  const { frequent, placed } = measureCounts(n, p, alphabet)
  return [
    {
      name: 'exclusion',
      accuracy: 1 / (alphabet - 1),
      note: 'a guess among the letters that are not hop p − 1, which the answer never equals',
    },
    {
      name: 'copy last',
      accuracy: (1 - (-1 / (alphabet - 1)) ** (p - 1)) / alphabet,
      note: 'the last letter again',
    },
    { name: 'hop p − 1', accuracy: 0, note: 'one hop too few' },
    { name: 'most frequent letter', accuracy: frequent, note: 'the first of equals' },
    {
      name: 'letters by place',
      accuracy: placed,
      note: 'letters counted with a weight for each place, by how often the answer stands there: no hop is followed',
    },
  ]
}

// Ours: sequences to learn weights from, and as many to measure on; fewer of long ones.
const sequences = (n: number) => Math.min(4096, Math.max(512, Math.floor(2 ** 20 / n)))

function measureCounts(n: number, p: number, alphabet: number): { frequent: number; placed: number } {
  const count = sequences(n)
  const draw = (half: string, i: number) => {
    const letters = generate(new RandomStream(0, 'phop shortcuts', half, i), n, p, alphabet)
    return { letters, answer: hops(letters, p)[n - 1] }
  }
  const weights = weightsByPlace(n, alphabet, count, (i) => draw('learn', i))
  const even = new Float64Array(n).fill(1)
  let [frequent, placed] = [0, 0]
  for (let i = 0; i < count; i++) {
    const { letters, answer } = draw('measure', i)
    frequent += Number(heaviest(letters, even, alphabet) === answer)
    placed += Number(heaviest(letters, weights, alphabet) === answer)
  }
  return { frequent: frequent / count, placed: placed / count }
}

/** Naive Bayes: the log odds that the letter at each place is the answer, beside any other. */
function weightsByPlace(
  n: number,
  alphabet: number,
  count: number,
  draw: (i: number) => { letters: Int32Array; answer: number },
): Float64Array {
  const hits = new Float64Array(n).fill(1)
  for (let i = 0; i < count; i++) {
    const { letters, answer } = draw(i)
    for (let at = 0; at < n; at++) hits[at] += Number(letters[at] === answer)
  }
  return hits.map((hit) => Math.log((hit * (alphabet - 1)) / (count + alphabet - hit)))
}

function heaviest(letters: Int32Array, weights: Float64Array, alphabet: number): number {
  const sums = new Float64Array(alphabet)
  for (const [at, letter] of letters.entries()) sums[letter] += weights[at]
  return sums.indexOf(Math.max(...sums))
}
