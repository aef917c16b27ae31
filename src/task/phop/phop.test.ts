import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'
import { splitOf } from '../split.ts'
import { type Split, UndefinedAnswerError } from '../task.ts'
import { findHops, findOnce, hops } from './definition.ts'

const ids = (text: string) => Int32Array.from(text, (letter) => letter.charCodeAt(0) - 97)
const phop = (settings: object) => createTask({ name: 'phop', ...settings })

/** find_p(v, i) word for word as the paper defines it, v counted from 1. */
function find(v: ArrayLike<number>, i: number, p: number): number {
  if (p === 0) return i
  const from = find(v, i, p - 1)
  if (from === 0) return 0
  for (let j = from; j >= 2; j--) if (v[j - 2] === v[from - 1]) return j
  return 0
}

/** hop_p(v, i), -1 where undefined. */
function hop(v: ArrayLike<number>, i: number, p: number): number {
  const position = find(v, i, p)
  return position === 0 ? -1 : v[position - 1]!
}

describe('definition', () => {
  it('hops through the worked example: b, c, a, d, undefined', () => {
    const v = ids('badcabcdab')
    expect([0, 1, 2, 3, 4].map((p) => findHops(v, p)[10])).toEqual([10, 7, 5, 3, 0])
    expect([0, 1, 2, 3, 4].map((p) => hops(v, p)[9])).toEqual([...ids('bcad'), -1])
    expect([0, 1, 2, 3, 4].map((p) => hop(v, 10, p))).toEqual([...ids('bcad'), -1])
  })

  it('takes a letter that follows itself as its own hop', () => {
    expect([...findOnce(ids('aaa'))]).toEqual([0, 0, 2, 3])
    expect([...findHops(ids('aaa'), 7)]).toEqual([0, 0, 2, 3])
  })

  it('is undefined everywhere on letters that never return, and on nothing', () => {
    expect([...hops(ids('abcd'), 1)]).toEqual([-1, -1, -1, -1])
    expect([...hops(ids(''), 3)]).toEqual([])
  })

  it('agrees with the naive reading at every position of any sequence', () => {
    const letters = fc.array(fc.nat(4), { maxLength: 60 })
    fc.assert(
      fc.property(letters, fc.nat(12), (v, p) => {
        expect([...findHops(v, p)]).toEqual([0, ...v.map((_, i) => find(v, i + 1, p))])
        expect([...hops(v, p)]).toEqual(v.map((_, i) => hop(v, i + 1, p)))
      }),
      { numRuns: 500 },
    )
  })
})

describe('samples', () => {
  it.each([
    [256, 32, 4],
    [256, 16, 4],
    [128, 16, 4],
    [64, 8, 4],
    [32, 4, 4],
    [40, 5, 2],
    [100, 9, 26],
    [9, 4, 3],
  ])('of n = %i, p = %i, alphabet %i have the naive answer at every position', (n, p, alphabet) => {
    const every = phop({ n, p, alphabet, loss: 'every' })
    for (let index = 0; index < 1000; index++) {
      const { tokens, targets, weights } = every.sample({ seed: 11, split: 'train', index })
      const expected = Array.from(tokens, (_, i) => hop(tokens, i + 1, p))
      if (targets.join() !== expected.join()) expect([...targets]).toEqual(expected)
      if (targets[n - 1] === -1 || tokens.length !== n) expect.fail(`sample ${index} has no answer`)
      expect(weights.every((weight, i) => weight === (targets[i] === -1 ? 0 : 1))).toBe(true)
    }
  })

  it('of the laptop recipe have the naive answer, 100,000 of them', () => {
    const task = phop({ n: 64, p: 8 })
    for (let index = 0; index < 100_000; index++) {
      const { tokens, targets } = task.sample({ seed: 1, split: 'train', index })
      if (targets[63] !== hop(tokens, 64, 8)) expect([tokens.join(), targets[63]]).toEqual(hop(tokens, 64, 8))
    }
  }, 120_000)

  it('have one target with the loss on the last position, the same answer', () => {
    const key = { seed: 2, split: 'train', index: 9 } as const
    const every = phop({ n: 32, p: 4, loss: 'every' }).sample(key)
    const last = phop({ n: 32, p: 4, loss: 'last' }).sample(key)
    expect(last.tokens).toEqual(every.tokens)
    expect([...last.targets]).toEqual([...new Array(31).fill(-1), every.targets[31]])
    expect([...last.weights]).toEqual([...new Array(31).fill(0), 1])
    expect(phop({ n: 32, p: 4 }).sample(key)).toEqual(last)
  })

  it('of one seed, split and index never change', () => {
    const text = (split: Split, index: number) => {
      const task = phop({ n: 32, p: 4 })
      const { input, target } = task.format(task.sample({ seed: 0, split, index }))
      return `${input} ${target}`
    }
    expect([text('train', 0), text('train', 1), text('test', 0)]).toMatchInlineSnapshot(`
      [
        "adabccbdaacddacdbccdcdbbbbcddcca b",
        "cdabddcaccacabddbbcabdadbdbaccba d",
        "dbbdabcaabaaacdddcaaadabdccbcbcd a",
      ]
    `)
  })

  it('of different splits never meet, even where the sequences are few', () => {
    const task = phop({ n: 9, p: 2, alphabet: 3 })
    const seen: Record<Split, Set<string>> = { train: new Set(), validation: new Set(), test: new Set() }
    for (const split of ['train', 'validation', 'test'] as const) {
      for (let index = 0; index < 2000; index++) {
        const { tokens } = task.sample({ seed: index % 3, split, index })
        expect(splitOf(tokens)).toBe(split)
        seen[split].add(tokens.join(''))
      }
    }
    const all = new Set([...seen.train, ...seen.validation, ...seen.test])
    expect(all.size).toBe(seen.train.size + seen.validation.size + seen.test.size)
    expect(seen.train.size).toBeGreaterThan(500)
    expect(seen.validation.size).toBeGreaterThan(30)
  })

  it('that cannot fill a split are an error', () => {
    const task = phop({ n: 3, p: 1, alphabet: 2 })
    const drawAll = () => {
      for (const split of ['train', 'validation', 'test'] as const) task.sample({ seed: 0, split, index: 0 })
    }
    expect(drawAll).toThrow(LatheError)
    expect(drawAll).toThrow('task phop: none of 1000 draws belongs to its')
  })
})

describe('shortcuts', () => {
  const count = 12_000

  /** Shares of samples for which each guess is the answer. */
  function accuracies(n: number, p: number, alphabet: number, guesses: ((tokens: Int32Array) => number)[]): number[] {
    const task = phop({ n, p, alphabet })
    const right = guesses.map(() => 0)
    for (let index = 0; index < count; index++) {
      const { tokens, targets } = task.sample({ seed: 5, split: 'train', index })
      for (const [i, guess] of guesses.entries()) if (guess(tokens) === targets[n - 1]) right[i]!++
    }
    return right.map((number) => number / count)
  }

  function majority(tokens: Int32Array): number {
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < tokens.length; i++) counts[tokens[i]!]!++
    return counts.indexOf(Math.max(...counts))
  }

  it.each([
    [256, 32],
    [256, 16],
    [128, 16],
    [64, 8],
  ])('at n = %i, p = %i reach what the task says', (n, p) => {
    const letters = [0, 1, 2, 3].map((letter) => () => letter)
    const [first, last] = [(tokens: Int32Array) => tokens[0]!, (tokens: Int32Array) => tokens[n - 1]!]
    const before = (tokens: Int32Array) => hop(tokens, n, p - 1)
    const measured = accuracies(n, p, 4, [...letters, majority, last, before, first])

    for (const share of measured.slice(0, 4)) expect(Math.abs(share - 0.25)).toBeLessThan(0.015)
    const [frequent, copied, oneHopLess, begun] = measured.slice(4) as [number, number, number, number]
    expect(frequent).toBeGreaterThan(0.27)
    expect(frequent).toBeLessThan(0.32)
    expect(copied).toBeGreaterThan(0.238)
    expect(copied).toBeLessThan(0.265)
    expect(oneHopLess).toBe(0)
    expect(Math.abs(begun - (1 - p / (n - p - 1)) / 4)).toBeLessThan(0.015)
  })

  it.each([
    [17, 2, 4],
    [17, 3, 3],
    [17, 4, 2],
  ])('at n = %i, p = %i, alphabet %i are as the task lists them', (n, p, alphabet) => {
    const before = (tokens: Int32Array) => hop(tokens, n, p - 1)
    const excluding = (tokens: Int32Array) => (before(tokens) + 1) % alphabet
    const measured = accuracies(n, p, alphabet, [excluding, (tokens) => tokens[n - 1]!, before])
    const { shortcuts, chance } = phop({ n, p, alphabet })
    expect(chance).toBe(1 / alphabet)
    expect(shortcuts.map(({ name }) => name)).toEqual([
      ...['exclusion', 'copy last', 'hop p − 1'],
      ...['most frequent letter', 'letters by place'],
    ])
    for (const [i, { accuracy }] of shortcuts.slice(0, 3).entries()) {
      expect(Math.abs(measured[i]! - accuracy)).toBeLessThan(0.015)
    }
  })

  it.each([
    [32, 3],
    [64, 8],
  ])('that count letters at n = %i, p = %i reach what the task lists', (n, p) => {
    const task = phop({ n, p })
    const hits = Array.from({ length: n }, () => 0)
    for (let index = 0; index < count; index++) {
      const { tokens, targets } = task.sample({ seed: 6, split: 'train', index })
      tokens.forEach((letter, at) => {
        if (letter === targets[n - 1]) hits[at]! += 1 / count
      })
    }
    const byPlace = (tokens: Int32Array) => {
      const evidence = [0, 1, 2, 3].map((letter) =>
        hits.reduce((sum, hit, at) => sum + Math.log(tokens[at] === letter ? hit : (1 - hit) / 3), 0),
      )
      return evidence.indexOf(Math.max(...evidence))
    }
    const measured = accuracies(n, p, 4, [majority, byPlace])
    for (const [i, { accuracy }] of task.shortcuts.slice(3).entries())
      expect(Math.abs(measured[i]! - accuracy)).toBeLessThan(0.03)
    expect(measured[1]).toBeGreaterThan(measured[0]! + 0.03)
  })
})

describe('text form', () => {
  const task = phop({ n: 12, p: 1, loss: 'every' })

  it('reads the worked example', () => {
    const sample = task.parse({ input: 'badcabcdab', target: 'c' })
    expect(sample.tokens).toEqual(ids('badcabcdab'))
    expect(sample.targets[9]).toBe(2)
    expect(task.parse({ input: 'badcabcdab' })).toEqual(sample)
    expect(task.format(sample)).toEqual({ input: 'badcabcdab', target: 'c' })
  })

  it('scores the last position, against the given target even where it is wrong', () => {
    const right = task.parse({ input: 'badcabcdab', target: 'c' })
    const wrong = task.parse({ input: 'badcabcdab', target: 'd' })
    const predictions = new Int32Array(12).fill(3)
    expect([task.score(right, predictions), task.score(wrong, predictions)]).toEqual([false, true])
    predictions[9] = 2
    expect([task.score(right, predictions), task.score(wrong, predictions)]).toEqual([true, false])
    expect(wrong.targets.with(9, 2)).toEqual(right.targets)
    expect(task.format(wrong).target).toBe('d')
  })

  it.each([
    ['', undefined, 'input is empty: write 1 to 12 letters from a to d'],
    ['abea', undefined, 'input letter 3 is "e": write letters from a to d, not separated'],
    ['ab a', undefined, 'input letter 3 is " ": write'],
    ['abA', undefined, 'input letter 3 is "A": write'],
    ['ab\n', undefined, 'input letter 3 is "\\n": write'],
    ['ab😀', undefined, 'input letter 3 is "😀": write'],
    ['abababababababa', undefined, 'input has 15 letters: write at most 12'],
    ['aba', 'e', 'target "e" is no answer: write one letter from a to d'],
    ['aba', '', 'target "" is no answer: write one letter'],
    ['aba', 'ab', 'target "ab" is no answer: write one letter'],
  ])('refuses input %j with target %j', (input, target, message) => {
    const read = () => task.parse(target === undefined ? { input } : { input, target })
    expect(read).toThrow(LatheError)
    expect(read).not.toThrow(UndefinedAnswerError)
    expect(read).toThrow(message)
  })

  it.each([
    ['badcabcdab', 4],
    ['a', 1],
    ['abcd', 1],
  ])('tells an undefined answer apart: %s at p = %i', (input, p) => {
    const read = (target?: string) => phop({ n: 12, p }).parse(target === undefined ? { input } : { input, target })
    expect(() => read()).toThrow(UndefinedAnswerError)
    expect(() => read('a')).toThrow(`input has no answer at p = ${p}: its last letter has fewer hops`)
    expect(() => read('a')).toThrow(LatheError)
  })

  it('reads back what it writes, at any settings', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 26 }), fc.nat(), (p, alphabet, index) => {
        const any = phop({ n: 4 * p + 9, p, alphabet, loss: index % 2 === 0 ? 'every' : 'last' })
        const sample = any.sample({ seed: 1, split: 'train', index })
        expect(any.parse(any.format(sample))).toEqual(sample)
      }),
    )
  })
})
