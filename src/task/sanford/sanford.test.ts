import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'
import { splitOf } from '../split.ts'
import { type Sample, type Split, type Task, UndefinedAnswerError } from '../task.ts'

const sanford = (settings: object = {}) => createTask({ name: 'sanford', ...settings })

/** hop_h at every letter, −1 where undefined, by the rule: a hop goes just behind the latest earlier occurrence. */
function hopped(letters: Int32Array, hopCount: number): Int32Array {
  const answers = new Int32Array(letters.length)
  for (let i = 0; i < letters.length; i++) {
    let at = i
    for (let hop = 0; hop < hopCount && at >= 0; hop++) {
      let earlier = at - 1
      while (earlier >= 0 && letters[earlier] !== letters[at]) earlier--
      at = earlier < 0 ? -1 : earlier + 1
    }
    answers[i] = at < 0 ? -1 : letters[at]
  }
  return answers
}

const samples = (task: Task, count: number, split: Split = 'train') =>
  Array.from({ length: count }, (_, index) => task.sample({ seed: 3, split, index }))

function accuracy(task: Task, predict: (sample: Sample) => Int32Array, count: number): number {
  let [right, of] = [0, 0]
  for (const sample of samples(task, count)) {
    const counted = task.tally!(sample, predict(sample))
    right += counted.right
    of += counted.of
  }
  return right / of
}

describe('the checker', () => {
  it.each([
    [0, 'badcabcdab'],
    [1, '~~~~daacbc'],
    [2, '~~~~~~d~aa'],
    [3, '~~~~~~~~~d'],
    [4, '~~~~~~~~~~'],
  ])('hops %i times to %s, as the worked example does', (hopCount, answers) => {
    const ids = (text: string) => Int32Array.from(text, (letter) => 'abcd'.indexOf(letter))
    expect(hopped(ids('badcabcdab'), hopCount)).toEqual(ids(answers))
  })
})

describe('samples', () => {
  it('have the answers of the definition, and no equal neighbours, 100,000 of them', () => {
    const task = sanford()
    const seen = new Array(17).fill(0)
    for (let index = 0; index < 100_000; index++) {
      const { tokens, targets } = task.sample({ seed: 1, split: 'train', index })
      const letters = tokens.subarray(1)
      const expected = hopped(letters, tokens[0])
      for (let i = 0; i < 98; i++) {
        if (targets[i + 1] !== (expected[i] === -1 ? 21 : expected[i])) expect.fail(`sample ${index} at letter ${i}`)
        if (letters[i] < 17 || letters[i] > 20 || letters[i] === letters[i - 1])
          expect.fail(`sample ${index}: ${letters}`)
      }
      if (tokens.length !== 99 || targets[0] !== 22) expect.fail(`sample ${index} has ${tokens}`)
      seen[tokens[0]]++
    }
    for (const count of seen) expect(Math.abs(count - 100_000 / 17)).toBeLessThan(300)
  }, 120_000)

  it('follow each letter by any other as often', () => {
    const pairs = new Map<string, number>()
    for (const { tokens } of samples(sanford(), 1000))
      for (let i = 2; i < 99; i++) {
        const pair = `${tokens[i - 1]} ${tokens[i]}`
        pairs.set(pair, (pairs.get(pair) ?? 0) + 1)
      }
    expect(pairs.size).toBe(12)
    for (const count of pairs.values()) expect(Math.abs(count - 97_000 / 12)).toBeLessThan(400)
  })

  it('have the length and the token ids of the published code', () => {
    const { vocabulary, length } = sanford()
    expect(length).toBe(99)
    expect(vocabulary).toEqual([...Array.from({ length: 17 }, (_, i) => String(i)), 'a', 'b', 'c', 'd', '~', '_'])
    expect([...sanford().parse({ input: '1 abcab' }).tokens]).toEqual([1, 17, 18, 19, 17, 18])
  })

  it('predict ~ and _ where nothing is defined, or skip them', () => {
    const [predict, skip] = ['predict', 'skip'].map((undefined_) =>
      sanford({ undefined: undefined_ }).parse({ input: '1 abcab' }),
    )
    expect([...predict.targets]).toEqual([22, 21, 21, 21, 18, 19])
    expect([...predict.weights]).toEqual([1, 1, 1, 1, 1, 1])
    expect([...skip.targets]).toEqual([-1, -1, -1, -1, 18, 19])
    expect([...skip.weights]).toEqual([0, 0, 0, 0, 1, 1])
  })

  it('have the one hop count that is set, over the same vocabulary', () => {
    const task = sanford({ only: 5 })
    expect([task.vocabulary, task.length]).toEqual([sanford().vocabulary, 99])
    for (const { tokens } of samples(task, 200, 'test')) expect(tokens[0]).toBe(5)
  })

  it('hold out letters, at every hop count', () => {
    for (const settings of [{}, { only: 2 }, { n: 12, hops: 2 }]) {
      for (const split of ['train', 'validation', 'test'] as const) {
        for (const { tokens } of samples(sanford(settings), 200, split)) {
          const first = sanford(settings).vocabulary.indexOf('a')
          expect(splitOf(tokens.subarray(1).map((token) => token - first))).toBe(split)
        }
      }
    }
  })

  it.each([
    [3, 4],
    [4, 3],
  ])('over %i letters at %i hops always have an answer, however short they may be set', (alphabet, hops) => {
    const n = hops * (alphabet - 1) + 2
    const task = sanford({ n, hops, alphabet })
    let all = ['']
    for (let i = 0; i < n; i++)
      all = all.flatMap((text) =>
        [...'abcd'.slice(0, alphabet)].filter((letter) => !text.endsWith(letter)).map((letter) => text + letter),
      )
    expect(all).toHaveLength(alphabet * (alphabet - 1) ** (n - 1))
    for (const letters of all) task.parse({ input: `${hops} ${letters}` })
    const shorter = 'abcd'
      .slice(0, alphabet)
      .repeat(n)
      .slice(0, n - 1)
    expect(() => task.parse({ input: `${hops} ${shorter}` })).toThrow(UndefinedAnswerError)
  })

  it('that cannot fill a split are an error', () => {
    const task = sanford({ n: 2, hops: 0, alphabet: 3 })
    const drawAll = () => (['train', 'validation', 'test'] as const).map((split) => samples(task, 1, split))
    expect(drawAll).toThrow('task sanford: none of 1000 draws belongs to its')
  })

  it('of one seed, split and index never change', () => {
    const task = sanford({ n: 20, hops: 4 })
    const text = (split: Split, index: number) => Object.values(task.format(task.sample({ seed: 0, split, index })))
    expect(
      [text('train', 0), text('train', 1), text('test', 0)].map((parts) => parts.join(' ')),
    ).toMatchInlineSnapshot(`
      [
        "3 cdbcabadadabcdcbdbdc ~~~~~~d~~bdc~ad~adca",
        "3 adacbcacbcbcbdcdcdca ~~~~~~~~~bcbc~bcbcdc",
        "3 acbcbdcacabcbdcdabca ~~~~~~b~~c~accac~bbc",
      ]
    `)
  })
})

describe('accuracy', () => {
  const task = sanford()
  const sample = task.parse({ input: '1 abcab' })

  it('counts the letters with a defined hop, and no other position', () => {
    expect(task.tally!(sample, Int32Array.of(22, 21, 21, 21, 18, 19))).toEqual({ right: 2, of: 2 })
    expect(task.tally!(sample, Int32Array.of(0, 17, 22, 18, 18, 19))).toEqual({ right: 2, of: 2 })
    expect(task.tally!(sample, Int32Array.of(22, 21, 21, 21, 18, 21))).toEqual({ right: 1, of: 2 })
    expect(task.tally!(sample, Int32Array.of(22, 21, 21, 21, 17, 17))).toEqual({ right: 0, of: 2 })
  })

  it('is the same whatever the loss is on', () => {
    const skipped = sanford({ undefined: 'skip' })
    for (const [i, one] of samples(task, 100).entries()) {
      const other = samples(skipped, 100)[i]
      expect(other.tokens).toEqual(one.tokens)
      expect(skipped.tally!(other, one.tokens)).toEqual(task.tally!(one, one.tokens))
    }
  })

  it('of a whole sequence wants every defined hop', () => {
    expect(task.score(sample, Int32Array.of(0, 0, 0, 0, 18, 19))).toBe(true)
    expect(task.score(sample, sample.targets.with(4, 17))).toBe(false)
    expect(task.score(sample, sample.targets.with(5, 17))).toBe(false)
  })
})

describe('shortcuts', () => {
  it('are known at one hop count', () => {
    const names = (settings: object) => sanford(settings).shortcuts.map(({ name }) => name)
    expect([{}, { only: 0 }, { only: 1 }, { only: 2 }, { only: 16 }].map(names)).toEqual([
      [],
      [],
      ['exclusion'],
      ['exclusion', 'hop h − 2'],
      ['exclusion', 'hop h − 2'],
    ])
  })

  it.each([
    [98, 4, 16],
    [98, 4, 2],
    [14, 4, 4],
    [12, 3, 5],
    [60, 9, 6],
  ])('over %i letters of %i at %i hops reach on samples what the task says', (n, alphabet, only) => {
    const task = sanford({ n, alphabet, hops: only, only })
    const first = only + 1
    const lessHops = ({ tokens }: Sample, less: number) => Int32Array.of(0, ...hopped(tokens.subarray(1), only - less))
    const next = (token: number) => first + ((token - first + 1) % alphabet)
    const measured = [
      accuracy(task, (sample) => lessHops(sample, 1).map(next), 3000),
      accuracy(task, (sample) => lessHops(sample, 2), 3000),
    ]
    for (const [i, shortcut] of task.shortcuts.entries())
      expect(Math.abs(measured[i] - shortcut.accuracy)).toBeLessThan(0.015)
    expect(accuracy(task, (sample) => lessHops(sample, 1), 300)).toBe(0)
    const constant = accuracy(task, (sample) => sample.tokens.map(() => first), 3000)
    expect(Math.abs(constant - task.chance)).toBeLessThan(0.015)
  })
})

describe('text form', () => {
  const task = sanford({ n: 11, hops: 3 })

  it('reads the worked example', () => {
    const sample = task.parse({ input: '2 badcabcdab', target: '~~~~~~d~aa' })
    expect(task.parse({ input: '2 badcabcdab' })).toEqual(sample)
    expect(task.format(sample)).toEqual({ input: '2 badcabcdab', target: '~~~~~~d~aa' })
    const skipped = sanford({ n: 11, hops: 3, undefined: 'skip' })
    expect(skipped.format(skipped.parse({ input: '2 badcabcdab' }))).toEqual(task.format(sample))
  })

  it('scores against the target that is given, even where it is wrong', () => {
    const wrong = task.parse({ input: '1 abcab', target: '~c~~a' })
    expect(task.format(wrong)).toEqual({ input: '1 abcab', target: '~c~~a' })
    expect(task.tally!(wrong, task.parse({ input: '1 abcab' }).targets)).toEqual({ right: 0, of: 2 })
    expect(task.score(wrong, wrong.targets)).toBe(true)
  })

  it.each([
    ['', undefined, 'input is not a hop count, a space and letters: write it like 1 abcab'],
    ['abcab', undefined, 'input is not a hop count, a space and letters'],
    ['2abcab', undefined, 'input is not a hop count, a space and letters'],
    ['-1 abcab', undefined, 'input is not a hop count, a space and letters'],
    ['2 ', undefined, 'input is not a hop count, a space and letters'],
    ['4 abcab', undefined, 'input has hop count 4: write 0 to 3'],
    ['02 abcab', undefined, 'input has hop count 02: write 0 to 3'],
    ['2 abcae', undefined, 'input letter 5 is "e": write letters from a to d, not separated'],
    ['2 a b', undefined, 'input letter 2 is " ": write letters'],
    ['2 ab~', undefined, 'input letter 3 is "~": write letters'],
    ['2 ab\n', undefined, 'input letter 3 is "\\n": write letters'],
    ['2 ab😀', undefined, 'input letter 3 is "😀": write letters'],
    ['2 abccb', undefined, 'input letters 3 and 4 are equal: neighbours must differ'],
    ['2 abababababab', undefined, 'input has 12 letters: write at most 11'],
    ['2 ababa', '~~a', 'target has 3 letters for 5 of input: write as many'],
    ['2 ababa', '', 'target has 0 letters for 5 of input'],
    ['2 ababa', '~~~b_', 'target letter 5 is "_": write letters from a to d, or ~ where there are fewer hops'],
  ])('refuses input %j with target %j', (input, target, message) => {
    const read = () => task.parse(target === undefined ? { input } : { input, target })
    expect(read).toThrow(LatheError)
    expect(read).not.toThrow(UndefinedAnswerError)
    expect(read).toThrow(message)
  })

  it.each([
    ['1 abcd', undefined],
    ['3 abcab', undefined],
    ['0 abcab', '~~~~~'],
  ])('tells apart where nothing is to be answered: %s with target %s', (input, target) => {
    for (const undefined_ of ['predict', 'skip']) {
      const any = sanford({ n: 11, hops: 3, undefined: undefined_ })
      const read = () => any.parse(target === undefined ? { input } : { input, target })
      expect(read).toThrow(UndefinedAnswerError)
      expect(read).toThrow(`input has no answer at ${input[0]} hops: every target is ~`)
    }
  })

  it('reads back what it writes, at any settings', () => {
    const settings = fc.record({
      hops: fc.nat(12),
      alphabet: fc.integer({ min: 3, max: 26 }),
      undefined: fc.constantFrom('predict', 'skip'),
    })
    fc.assert(
      fc.property(settings, fc.nat(), (given, index) => {
        const any = sanford({ ...given, n: 2 * given.hops * given.alphabet + 20 })
        const sample = any.sample({ seed: 1, split: 'train', index })
        expect(any.parse(any.format(sample))).toEqual(sample)
      }),
    )
  })
})

describe('settings', () => {
  it.each([
    [{ n: 49 }, 'n = 49 is too short for 16 hops over 4 letters: set n ≥ 50, where some letter always has them'],
    [{ n: 1, hops: 0 }, 'n must be a whole number from 2 to 65535, got 1'],
    [{ alphabet: 2 }, 'alphabet must be a whole number from 3 to 26, got 2'],
    [{ only: 17 }, 'only = 17 is above hops = 16: set one of them'],
    [{ only: -1 }, 'only must be a whole number from 0 to 1000, got -1'],
    [{ hops: 1.5 }, 'hops must be a whole number from 0 to 1000, got 1.5'],
    [{ undefined: 'ignore' }, 'undefined must be "predict" or "skip", got "ignore"'],
    [{ p: 16 }, 'there is no setting p'],
  ])('refuses %j', (given, message) => {
    expect(() => sanford(given)).toThrow(LatheError)
    expect(() => sanford(given)).toThrow(`task sanford: ${message}`)
  })
})
