import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { oneOf, whole } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { drawInSplit } from '../split.ts'
import type { Example, Sample, Task, TaskDefinition } from '../task.ts'
import { mostFrequentSum } from './shortcuts.ts'

const counts = 'must be a list of operand counts'
const settings = z
  .strictObject({
    operands: z
      .array(whole(2, 256), counts)
      .min(1, counts)
      .default([2, 4, 8, 16, 32])
      .describe('how many numbers are added: each problem takes one count of the list'),
    digits: whole(1, 9).default(3).describe('digits of every number, zero-padded'),
    order: oneOf('most', 'least').default('most').describe('which digit of the sum is written first, by significance'),
    padTo: whole(2, 256)
      .optional()
      .describe('the operand count that shorter problems are filled up to, on the left; default: they are not'),
  })
  .refine(({ operands, padTo }) => padTo === undefined || padTo >= Math.max(...operands), {
    error: ({ input }) => {
      const { operands, padTo } = input as { operands: number[]; padTo: number }
      return `padTo = ${padTo} has no room for ${Math.max(...operands)} operands: set it as high`
    },
  })

export type AdditionSettings = z.infer<typeof settings>

/**
 * n-ary addition, arXiv 2502.17416 §2.1: numbers of exactly `digits` digits, each uniform, are added; the sum is
 * written without padding. One token is one character, spaces left out, and an end token follows the sum; the loss is
 * on the sum and its end alone: the paper does not state these, so they are ours. The digits of the sum stand as in its
 * example, `315 + 120 + 045 + 824 =` to `1304`; `order` can turn them round, in the text form, too. To evaluate at one
 * operand count, also one that was never trained at, name it alone in `operands`. Samples have their own lengths, and
 * batches fill them up on the right with any token at weight 0. With `padTo` samples themselves begin with padding, a
 * token of its own and no text: "=" then stands in one place, and learned positions are places from the end (ours).
 * What is held out is a choice of numbers, in whatever order they stand: `2+3=` tells the answer to `3+2=`.
 */
export const addition: TaskDefinition<AdditionSettings> = {
  name: 'addition',
  description: 'n-ary addition: write the sum of many numbers, digit by digit.',
  settings,
  create,
  paper: { addition: { operands: [2, 4, 8, 16, 32], digits: 3, order: 'most' } },
}

const vocabulary = [...'0123456789+=', '<end>'] // a digit is its own token id
const [plus, equals, end, pad] = [10, 11, 12, 13]

const promptLength = ({ tokens }: Sample) => tokens.indexOf(equals) + 1
const problemStart = ({ tokens }: Sample) => tokens.findIndex((token) => token !== pad)
const tokensOf = (text: string) => Int32Array.from([...text], (character) => vocabulary.indexOf(character))

function textOf(tokens: Int32Array): string {
  let text = ''
  for (const token of tokens) text += vocabulary[token]
  return text
}

function create({ operands, digits, order, padTo }: AdditionSettings): Task {
  const longest = padTo ?? Math.max(...operands)
  const answerLength = String(longest * (10 ** digits - 1)).length
  const mean = (accuracy: (count: number) => number) =>
    operands.reduce((sum, count) => sum + accuracy(count) / operands.length, 0)

  function draw(random: RandomStream): Int32Array {
    const problem = new Int32Array(operands[random.integer(operands.length)] * (digits + 1)).fill(plus)
    for (let i = 0; i < problem.length; i++) if (i % (digits + 1) < digits) problem[i] = random.integer(10)
    return problem.fill(equals, -1)
  }

  function numbersIn(problem: Int32Array): Int32Array {
    const numbers = new Int32Array(problem.length / (digits + 1))
    let at = 0
    for (const token of problem) {
      if (token < plus) numbers[at] = 10 * numbers[at] + token
      else at++
    }
    return numbers
  }

  function sumOf(problem: Int32Array): string {
    const sum = String(numbersIn(problem).reduce((a, b) => a + b, 0))
    return order === 'most' ? sum : [...sum].reverse().join('')
  }

  function toSample(problem: Int32Array, target = sumOf(problem)): Sample {
    const answer = tokensOf(target)
    const padding = padTo ? padTo * (digits + 1) - problem.length : 0
    const tokens = Int32Array.of(...new Int32Array(padding).fill(pad), ...problem, ...answer)
    const asked = padding + problem.length - 1 // "=" predicts the first digit
    const targets = new Int32Array(tokens.length).fill(-1, 0, asked).fill(end, -1)
    targets.set(answer, asked)
    return { tokens, targets, weights: new Float32Array(tokens.length).fill(1, asked) }
  }

  function readProblem(input: string): Int32Array {
    const body = /^(.*)=\s*$/s.exec(input)?.[1]
    if (body === undefined)
      throw new LatheError('input does not end with "=": write numbers with + between them and = at the end')
    const numbers = body.split('+').map((number) => number.trim())
    const wrong = numbers.findIndex((number) => number.length !== digits || !/^[0-9]+$/.test(number))
    if (wrong !== -1) {
      const write = digits === 1 ? 'write 1 digit' : `write ${digits} digits, zero-padded`
      throw new LatheError(`operand ${wrong + 1} is ${JSON.stringify(numbers[wrong])}: ${write}`)
    }
    if (numbers.length >= 2 && numbers.length <= longest) return tokensOf(`${numbers.join('+')}=`)
    throw new LatheError(`input must have 2 to ${longest} numbers, got ${numbers.length}`)
  }

  function parse({ input, target }: Example): Sample {
    const problem = readProblem(input)
    const isSum = order === 'most' ? /^(0|[1-9][0-9]*)$/ : /^(0|[0-9]*[1-9])$/
    if (target === undefined || (isSum.test(target) && target.length <= answerLength)) return toSample(problem, target)
    throw new LatheError(
      `target ${JSON.stringify(target)} is no answer: write a sum of at most ${answerLength} digits, ` +
        `not padded, its ${order} significant digit first`,
    )
  }

  const chance = mean((count) => 1 / (count * (10 ** digits - 1) + 1))
  const leadingDigits = {
    name: 'leading digits',
    accuracy: mean((count) => mostFrequentSum(count, digits - 1)),
    note: 'the leading digits are added, and for the rest the most frequent sum is taken',
  }
  return {
    name: 'addition',
    vocabulary: padTo ? [...vocabulary, '<pad>'] : vocabulary,
    length: longest * (digits + 1) + answerLength,
    attention: 'causal',
    chance,
    shortcuts: [
      {
        name: 'most frequent sum',
        accuracy: mean((count) => mostFrequentSum(count, digits)),
        note: 'the sum that is most frequent for this many numbers',
      },
      ...(digits > 1 ? [leadingDigits] : []), // of one digit they are all
    ],
    sample: (key) => toSample(drawInSplit('addition', key, draw, (problem) => numbersIn(problem).sort())),
    score: ({ targets }, predictions) => targets.every((target, i) => target === -1 || predictions[i] === target),
    written: {
      promptLength,
      chance,
      end,
      judge: (sample, answer) => textOf(answer) === textOf(sample.tokens.subarray(promptLength(sample))),
    },
    parse,
    format: (sample) => ({
      input: textOf(sample.tokens.subarray(problemStart(sample), promptLength(sample))),
      target: textOf(sample.tokens.subarray(promptLength(sample))),
    }),
  }
}
