import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'
import { splitOf } from '../split.ts'
import type { Split, Task } from '../task.ts'

const addition = (settings: object = {}) => createTask({ name: 'addition', ...settings })
const splits = ['train', 'validation', 'test'] as const

/** Pencil and paper on the text of a problem: column by column from the right, with a carry. */
function written(input: string): string {
  const numbers = input.slice(0, -1).split('+')
  let [sum, carry] = ['', 0]
  for (let column = numbers[0].length - 1; column >= 0; column--) {
    for (const number of numbers) carry += number.charCodeAt(column) - 48
    sum = (carry % 10) + sum
    carry = Math.floor(carry / 10)
  }
  return (carry + sum).replace(/^0+(?=.)/, '')
}

const reversed = (text: string) => [...text].reverse().join('')

/** The texts of samples 0 to `count` − 1. */
const texts = (task: Task, count: number, split: Split = 'train') =>
  Array.from({ length: count }, (_, index) => task.format(task.sample({ seed: 7, split, index })))

describe('the checker', () => {
  it.each([
    ['315+120+045+824=', '1304'],
    ['000+000=', '0'],
    ['000+007=', '7'],
    ['999+999=', '1998'],
    [`${Array(32).fill('999').join('+')}=`, '31968'],
    ['5+5=', '10'],
  ])('adds %s to %s', (input, sum) => {
    expect(written(input)).toBe(sum)
  })
})

describe('samples', () => {
  it('of the paper have the sum that column addition gives, 100,000 of them', () => {
    const task = addition()
    const seen = new Map<number, number>()
    for (let index = 0; index < 100_000; index++) {
      const { input, target } = task.format(task.sample({ seed: 1, split: 'train', index }))
      if (target !== written(input)) expect({ input, target }).toEqual({ input, target: written(input) })
      seen.set(input.length / 4, (seen.get(input.length / 4) ?? 0) + 1)
    }
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([2, 4, 8, 16, 32])
    for (const count of seen.values()) expect(Math.abs(count - 20_000)).toBeLessThan(600)
  }, 120_000)

  it('are made of numbers that are uniform, small ones padded', () => {
    const counts = new Array(100).fill(0)
    for (const { input } of texts(addition({ operands: [8], digits: 2 }), 5000)) {
      expect(input).toMatch(/^(\d\d\+){7}\d\d=$/)
      for (const number of input.slice(0, -1).split('+')) counts[Number(number)]++
    }
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(100)
  })

  it('predict the sum and its end, and nothing else', () => {
    const { tokens, targets, weights } = addition().parse({ input: '315+120+045+824=' })
    expect([...tokens]).toEqual([3, 1, 5, 10, 1, 2, 0, 10, 0, 4, 5, 10, 8, 2, 4, 11, 1, 3, 0, 4])
    expect([...targets]).toEqual([...Array(15).fill(-1), 1, 3, 0, 4, 12])
    expect([...weights]).toEqual([...Array(15).fill(0), 1, 1, 1, 1, 1])
    expect([10, 11, 12].map((token) => addition().vocabulary[token])).toEqual(['+', '=', '<end>'])
  })

  it('are the same problems with the sum the other way round', () => {
    const [most, least] = ['most', 'least'].map((order) => texts(addition({ order }), 200))
    expect(least).toEqual(most.map(({ input, target }) => ({ input, target: reversed(target) })))
    expect(least).not.toEqual(most)
  })

  it('at an operand count that was not trained fit the model that was', () => {
    const [trained, unseen] = [addition(), addition({ operands: [24] })]
    expect(unseen.vocabulary).toEqual(trained.vocabulary)
    expect([unseen.length, trained.length]).toEqual([24 * 4 + 5, 133])
    for (const { input } of texts(unseen, 200, 'test')) expect(input.split('+')).toHaveLength(24)
  })

  it('filled up on the left are the same problems, "=" and answer where those of the most numbers have theirs', () => {
    const settings = { operands: [2, 3, 5], digits: 2 }
    const [bare, filled] = [addition(settings), addition({ ...settings, padTo: 6 })]
    const pad = filled.vocabulary.indexOf('<pad>')
    expect(filled.vocabulary).toEqual([...bare.vocabulary, '<pad>'])
    for (let index = 0; index < 100; index++) {
      const [plain, padded] = [bare, filled].map((task) => task.sample({ seed: 7, split: 'train', index }))
      const before = padded.tokens.length - plain.tokens.length
      expect(padded.tokens).toEqual(Int32Array.of(...new Int32Array(before).fill(pad), ...plain.tokens))
      expect(padded.targets).toEqual(Int32Array.of(...new Int32Array(before).fill(-1), ...plain.targets))
      expect(padded.weights).toEqual(Float32Array.of(...new Float32Array(before), ...plain.weights))
      expect(filled.written!.promptLength(padded)).toBe(18)
      expect(filled.format(padded)).toEqual(bare.format(plain))
      expect(filled.score(padded, padded.targets)).toBe(true)
    }
  })

  it.each([
    [{ operands: [2], digits: 1 }, 2],
    [{ operands: [12], digits: 2 }, 12],
    [{ operands: [32], digits: 3 }, 32],
    [{ operands: [2], digits: 2, padTo: 8 }, 8],
  ])('of %j can be as long as the task says, and no longer', (settings, count) => {
    const task = addition(settings)
    const { tokens } = task.parse({ input: `${Array(count).fill('9'.repeat(settings.digits)).join('+')}=` })
    expect(tokens).toHaveLength(task.length)
  })

  it('of one seed, split and index never change', () => {
    const task = addition({ operands: [2, 4] })
    const text = (split: Split, index: number) => Object.values(task.format(task.sample({ seed: 0, split, index })))
    expect([text('train', 0), text('train', 1), text('test', 0)].map((parts) => parts.join(''))).toMatchInlineSnapshot(`
      [
        "911+645=1556",
        "455+104+194+829=1582",
        "973+700=1673",
      ]
    `)
  })

  it('of different splits never meet, even where the problems are few', () => {
    const task = addition({ operands: [2], digits: 1 })
    const seen = new Map<string, Split>()
    for (const split of splits) {
      for (let index = 0; index < 1000; index++) {
        const sample = task.sample({ seed: 1, split, index })
        const numbers = [sample.tokens[0], sample.tokens[2]].sort((a, b) => a - b)
        expect(splitOf(numbers)).toBe(split)
        seen.set(numbers.join(), split)
      }
    }
    expect(seen.size).toBe(55)
    expect(new Set(seen.values()).size).toBe(3)
  })
})

describe('answers', () => {
  const task = addition({ operands: [4] })
  const sample = task.parse({ input: '315+120+045+824=' })
  const answer = (text: string) => Int32Array.from(text, (character) => task.vocabulary.indexOf(character))

  it('count when every digit and the end is predicted, whatever stands at the problem', () => {
    expect(task.score(sample, sample.targets.with(0, 7).with(14, 12))).toBe(true)
    for (let i = 15; i < 20; i++) expect(task.score(sample, sample.targets.with(i, 7))).toBe(false)
  })

  it.each(['', '1', '130', '13040', '01304', '4031', '1305', '1304=', '+1304', '1304+'])(
    'do not count as %j',
    (text) => {
      expect(task.written!.judge(sample, answer(text))).toBe(false)
    },
  )

  it('count as they are to be written', () => {
    expect(task.written!.judge(sample, answer('1304'))).toBe(true)
    expect(task.written!.judge(sample, Int32Array.of(...answer('1304'), task.written!.end))).toBe(false)
    const least = addition({ order: 'least' })
    const same = least.parse({ input: '315+120+045+824=' })
    expect(['4031', '1304'].map((text) => least.written!.judge(same, answer(text)))).toEqual([true, false])
  })

  it('are scored against the target that is given, even where it is wrong', () => {
    const wrong = task.parse({ input: '315+120+045+824=', target: '99' })
    expect(task.format(wrong)).toEqual({ input: '315+120+045+824=', target: '99' })
    expect(task.written!.judge(wrong, answer('99'))).toBe(true)
    expect(task.written!.judge(wrong, answer('1304'))).toBe(false)
    expect(task.score(wrong, wrong.targets)).toBe(true)
  })
})

describe('shortcuts', () => {
  it.each([
    [2, 1, 10 / 100, undefined], // the leading digits would be all
    [3, 1, 75 / 1000, undefined], // 13 and 14 of the sums 0 to 27
    [2, 3, 1000 / 1e6, 100 / 1e4],
  ])('of %i numbers of %i digits are exact', (count, digits, frequent, leading) => {
    const { shortcuts, chance } = addition({ operands: [count], digits })
    const known = [['most frequent sum', frequent], ...(leading === undefined ? [] : [['leading digits', leading]])]
    expect(shortcuts.map(({ name, accuracy }) => [name, accuracy])).toEqual(
      known.map(([name, accuracy]) => [name, expect.closeTo(Number(accuracy), 12)]),
    )
    expect(chance).toBeCloseTo(1 / (count * (10 ** digits - 1) + 1), 12)
  })

  it('are near the normal law where many numbers are added, and a mixture of them is their mean', () => {
    const at = (operands: number[]) => addition({ operands }).shortcuts.map(({ accuracy }) => accuracy)
    const deviation = Math.sqrt((64 * (1e6 - 1)) / 12)
    expect(at([64])[0] * deviation * Math.sqrt(2 * Math.PI)).toBeCloseTo(1, 2)
    for (const i of [0, 1]) expect(at([2, 8, 8])[i]).toBeCloseTo((at([2])[i] + 2 * at([8])[i]) / 3, 12)
  })

  it.each([
    [[2], 2],
    [[2, 4], 2],
    [[3, 7], 2],
  ])('of %j numbers of %i digits reach on samples what the task says', (operands, digits) => {
    const task = addition({ operands, digits })
    const right = [0, 0]
    const samples = 40_000
    for (const { input, target } of texts(task, samples)) {
      const numbers = input.slice(0, -1).split('+')
      const middle = (places: number) => Math.floor((numbers.length * (10 ** places - 1)) / 2)
      const leading = numbers.reduce((sum, number) => sum + Number(number[0]), 0) * 10 ** (digits - 1)
      if (middle(digits) === Number(target)) right[0]++
      if (leading + middle(digits - 1) === Number(target)) right[1]++
    }
    for (const [i, { accuracy }] of task.shortcuts.entries()) {
      // Four standard errors.
      const slack = 4 * Math.sqrt(accuracy / samples)
      expect(Math.abs(right[i] / samples - accuracy)).toBeLessThan(slack)
    }
  })
})

describe('text form', () => {
  const task = addition({ operands: [2, 4] })

  it('reads the example of the paper, spaces and all', () => {
    const sample = task.parse({ input: ' 315 + 120 + 045 + 824 =\n' })
    expect(task.format(sample)).toEqual({ input: '315+120+045+824=', target: '1304' })
    expect(task.parse({ input: '315+120+045+824=', target: '1304' })).toEqual(sample)
  })

  it('reads operand counts that are not drawn', () => {
    expect(task.format(task.parse({ input: '001+002+003=' })).target).toBe('6')
  })

  it.each([
    ['', undefined, 'input does not end with "=": write numbers with + between them and = at the end'],
    ['315+120', undefined, 'input does not end with "="'],
    ['315+120=435', undefined, 'input does not end with "="'],
    ['=', undefined, 'operand 1 is "": write 3 digits, zero-padded'],
    ['315+120+45=', undefined, 'operand 3 is "45": write 3 digits, zero-padded'],
    ['315++120=', undefined, 'operand 2 is "": write 3 digits'],
    ['315+1 20=', undefined, 'operand 2 is "1 20": write 3 digits'],
    ['315+-12=', undefined, 'operand 2 is "-12": write 3 digits'],
    ['315+1=2=', undefined, 'operand 2 is "1=2": write 3 digits'],
    ['315+٣٤٥=', undefined, 'operand 2 is "٣٤٥": write 3 digits'],
    ['315+0120=', undefined, 'operand 2 is "0120": write 3 digits'],
    ['315=', undefined, 'input must have 2 to 4 numbers, got 1'],
    ['001+002+003+004+005=', undefined, 'input must have 2 to 4 numbers, got 5'],
    ['315+120=', '', 'target "" is no answer: write a sum of at most 4 digits, not padded, its most significant'],
    ['315+120=', '0435', 'target "0435" is no answer'],
    ['315+120=', '43 5', 'target "43 5" is no answer'],
    ['315+120=', '43500', 'target "43500" is no answer: write a sum of at most 4 digits'],
  ])('refuses input %j with target %j', (input, target, message) => {
    const read = () => task.parse(target === undefined ? { input } : { input, target })
    expect(read).toThrow(LatheError)
    expect(read).toThrow(message)
  })

  it('has the sum as the model writes it, the least significant digit first where that is set', () => {
    const least = addition({ order: 'least', digits: 2, operands: [2] })
    expect(least.format(least.parse({ input: '95+25=' })).target).toBe('021')
    expect(least.format(least.parse({ input: '00+00=' })).target).toBe('0')
    expect(least.format(least.parse({ input: '95+25=', target: '021' })).target).toBe('021')
    const padded = () => least.parse({ input: '95+25=', target: '120' })
    expect(padded).toThrow(
      'target "120" is no answer: write a sum of at most 3 digits, not padded, its least significant',
    )
  })

  it('reads back what it writes, at any settings', () => {
    const settings = fc.record({
      operands: fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 4 }),
      digits: fc.integer({ min: 1, max: 9 }),
      order: fc.constantFrom('most', 'least'),
      padTo: fc.option(fc.integer({ min: 40, max: 50 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(settings, fc.nat(), (given, index) => {
        const any = addition(given)
        const sample = any.sample({ seed: 1, split: 'train', index })
        const text = any.format(sample)
        expect(any.parse(text)).toEqual(sample)
        expect(any.parse({ input: text.input })).toEqual(sample)
        expect(given.order === 'most' ? text.target : reversed(text.target)).toBe(written(text.input))
      }),
    )
  })
})

describe('settings', () => {
  it.each([
    [{ operands: [] }, 'task addition: operands must be a list of operand counts, got []'],
    [{ operands: 8 }, 'task addition: operands must be a list of operand counts, got 8'],
    [{ operands: [2, 1] }, 'task addition: operands.1 must be a whole number from 2 to 256, got 1'],
    [{ operands: [2, 2.5] }, 'task addition: operands.1 must be a whole number from 2 to 256, got 2.5'],
    [{ digits: 0 }, 'task addition: digits must be a whole number from 1 to 9, got 0'],
    [{ order: 'first' }, 'task addition: order must be "most" or "least", got "first"'],
    [{ padTo: 16 }, 'task addition: padTo = 16 has no room for 32 operands: set it as high'],
    [{ padTo: 257 }, 'task addition: padTo must be a whole number from 2 to 256, got 257'],
    [{ digit: 3 }, 'task addition: there is no setting digit: did you mean digits?'],
  ])('refuses %j', (given, message) => {
    expect(() => addition(given)).toThrow(LatheError)
    expect(() => addition(given)).toThrow(message)
  })
})
