import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { oneOf } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { drawInSplit } from '../split.ts'
import type { Example, Sample, Shortcut, Task, TaskDefinition } from '../task.ts'
import { alphabet, copied, type Drawn, drawCopy, listLength, repeatLength } from './copy.ts'
import {
  drawAssignments,
  drawPreschoolMath,
  evaluate,
  largestAddend,
  largestValue,
  variables,
  writeEquations,
} from './equations.ts'

const depths = z.union([z.literal(0), z.literal(1), z.literal(2)], { error: 'must be 0, 1 or 2' })
const settings = z.strictObject({
  kind: oneOf('copy', 'assign', 'psm')
    .default('assign')
    .describe('induction copying, variable assignment or pre-school mathematics'),
  depth: depths.default(1).describe('of assign: aliases between the variable asked for and its value'),
  form: oneOf('math', 'code').default('math').describe('of assign: how problems are written for people'),
})

export type PrimitivesSettings = z.infer<typeof settings>

/**
 * The reasoning primitives of MIDAS (arXiv 2409.19044), four of which arXiv 2502.17416 uses: assign at depth 0 and 1 as
 * mathematics and as code. There they are prompts for language models, see `promptText`; here a model learns them from
 * nothing, so one token is one letter, symbol or number, and the words around the problem are left out. That is ours,
 * and with it the two forms are the same tokens. Induction copying and pre-school mathematics are recalled shapes.
 */
export const primitives: TaskDefinition<PrimitivesSettings> = {
  name: 'primitives',
  description: 'Reasoning primitives: copy what followed before, follow aliases to a value, add two variables.',
  settings,
  create,
  paper: {
    'assign-depth-0-math': { kind: 'assign', depth: 0, form: 'math' },
    'assign-depth-0-code': { kind: 'assign', depth: 0, form: 'code' },
    'assign-depth-1-math': { kind: 'assign', depth: 1, form: 'math' },
    'assign-depth-1-code': { kind: 'assign', depth: 1, form: 'code' },
    'assign-depth-2-math': { kind: 'assign', depth: 2, form: 'math' },
    copy: { kind: 'copy' },
    psm: { kind: 'psm' },
  },
}

/** A primitive over words, each one token. */
interface Primitive {
  /** Words that are never an answer. */
  readonly symbols: readonly string[]
  readonly answers: readonly string[]
  readonly length: number
  readonly chance: number
  readonly shortcuts: readonly Shortcut[]
  draw(random: RandomStream): Drawn
  /** Of a problem that somebody wrote. */
  answer(words: readonly string[]): string
  write(words: readonly string[]): string
  /** Of its text form. */
  readonly example: string
}

const integers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i))

const copy: Primitive = {
  symbols: [],
  answers: alphabet,
  length: listLength + repeatLength,
  chance: 1 / alphabet.length,
  shortcuts: [
    { name: 'end of list', accuracy: 1 / (listLength - repeatLength), note: 'the last item before the repetition' },
    { name: 'copy last', accuracy: 0, note: 'the last item again' },
  ],
  draw: drawCopy,
  answer: copied,
  write: (items) => items.join(' '),
  example: 'k d x a d',
}

function assign(depth: 0 | 1 | 2, form: 'math' | 'code'): Primitive {
  const among = 1 / variables
  return {
    symbols: [...alphabet, '=', ',', '?'],
    answers: integers(1, largestValue),
    length: 4 * variables * (depth + 1) + 3,
    chance: among,
    shortcuts: [
      { name: 'first value', accuracy: among, note: 'the value of the first assignment' },
      { name: 'latest value', accuracy: among, note: 'the value of the assignment nearest to the question' },
    ],
    draw: (random) => drawAssignments(random, depth),
    answer: (words) => String(evaluate(words)),
    write: (words) => writeEquations(words, form),
    example: 'n=22, z=n, z=?',
  }
}

const psm: Primitive = {
  symbols: [...alphabet, '=', ',', '?', '+', '-'],
  answers: integers(-2 * largestAddend, 2 * largestAddend),
  length: 18,
  // Half of the sums are differences, and a difference of two uniform values is 0 most often.
  chance: 1 / (2 * largestAddend),
  shortcuts: [{ name: 'signs ignored', accuracy: 1 / 4, note: 'both values added, whatever their signs' }],
  draw: drawPreschoolMath,
  answer: (words) => String(evaluate(words)),
  write: (words) => writeEquations(words, 'math'),
  example: 'z=6, b=5, i=-z+b, i=?',
}

function create({ kind, depth, form }: PrimitivesSettings): Task {
  const primitive = { copy, assign: assign(depth, form), psm }[kind]
  const { symbols, answers, length } = primitive
  const vocabulary = [...symbols, ...answers]
  const ids = new Map(vocabulary.map((word, id) => [word, id]))
  const range = `${answers[0]} to ${answers.at(-1)}`

  function encode(words: readonly string[]): Int32Array {
    const tokens = new Int32Array(words.length)
    for (const [i, word] of words.entries()) {
      const id = ids.get(word)
      if (id === undefined)
        throw new LatheError(`input has ${JSON.stringify(word)}: write it like ${primitive.example}`)
      tokens[i] = id
    }
    return tokens
  }

  function toSample(tokens: Int32Array, answer: string): Sample {
    const weights = new Float32Array(tokens.length)
    weights[tokens.length - 1] = 1
    return { tokens, targets: new Int32Array(tokens.length).fill(-1).with(-1, ids.get(answer)!), weights }
  }

  function parse({ input, target }: Example): Sample {
    const words = input.replaceAll(';', ',').match(/\d+|\S/gu) ?? []
    if (words.length === 0 || words.length > length)
      throw new LatheError(`input has ${words.length} tokens: write 1 to ${length}`)
    const tokens = encode(words)
    const own = primitive.answer(words)
    if (!answers.includes(own)) throw new LatheError(`input has the answer ${own}: answers go from ${range}`)
    if (target !== undefined && !answers.includes(target))
      throw new LatheError(`target ${JSON.stringify(target)} is no answer: write one from ${range}`)
    return toSample(tokens, target ?? own)
  }

  return {
    name: 'primitives',
    vocabulary,
    length,
    attention: 'causal',
    chance: primitive.chance,
    shortcuts: primitive.shortcuts,
    sample(key) {
      const draw = (random: RandomStream) => {
        const { words, answer } = primitive.draw(random)
        return { tokens: encode(words), answer }
      }
      const { tokens, answer } = drawInSplit('primitives', key, draw, (drawn) => drawn.tokens)
      return toSample(tokens, answer)
    },
    score: ({ tokens, targets }, predictions) => predictions[tokens.length - 1] === targets.at(-1),
    parse,
    format: ({ tokens, targets }) => ({
      input: primitive.write(Array.from(tokens, (token) => vocabulary[token]!)),
      target: vocabulary[targets.at(-1)!]!,
    }),
  }
}
