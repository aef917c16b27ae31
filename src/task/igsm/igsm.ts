import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { fraction, oneOf, whole } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { drawInSplit } from '../split.ts'
import type { Example, Sample, Task, TaskDefinition } from '../task.ts'
import { solve, template } from './definition.ts'
import { edgesOf, formNames, formsOfOne, generate, neededOf } from './generate.ts'
import { Notation, readProblem } from './notation.ts'

const settings = z
  .strictObject({
    minNodes: whole(2, 100).default(6).describe('definitions of the smallest problem'),
    maxNodes: whole(2, 100).default(8).describe('definitions of the largest problem'),
    operands: whole(1, 8).default(2).describe('names in the longest expression'),
    forms: z
      .array(oneOf(...formNames))
      .refine((forms) => formsOfOne.some((form) => forms.includes(form)), {
        error: () => `must have one of ${formsOfOne.join(', ')}`,
      })
      .default([...formNames])
      .describe('what expressions there are: X, X + c, c * X or a sum, a sum, a difference'),
    distractors: fraction.default(0.25).describe('share of the definitions that the query does not need'),
    letters: whole(4, 24).multipleOf(4, 'must be a multiple of 4').default(16).describe('entities, on four levels'),
    modulus: whole(3, 100).default(7).describe('all arithmetic is modulo this'),
    names: oneOf('spelled', 'whole')
      .default('spelled')
      .describe('a name such as E#J is three tokens, as it is spelled, or one'),
    steps: oneOf('full', 'values')
      .default('values')
      .describe('a step of the solution: X = expression => X = value, or X = value'),
    maxLength: whole(16, 65536)
      .default(128)
      .describe('tokens of the longest problem and solution; longer ones are drawn again'),
  })
  .refine(({ minNodes, maxNodes }) => minNodes <= maxNodes, {
    error: ({ input }) => {
      const { minNodes, maxNodes } = input as { minNodes: number; maxNodes: number }
      return `minNodes = ${minNodes} is above maxNodes = ${maxNodes}: set one of them`
    },
  })
  .refine(({ maxNodes, letters }) => maxNodes <= edgesOf(letters), {
    error: ({ input }) => {
      const { maxNodes, letters } = input as { maxNodes: number; letters: number }
      return `maxNodes = ${maxNodes} is too many for ${letters} letters: they make ${edgesOf(letters)} names`
    },
  })

export type IgsmSettings = z.infer<typeof settings>

/**
 * i-GSM, arXiv 2502.17416 §2.3: see definition.ts for the rule, generate.ts for the problems, notation.ts for how they
 * and their solutions are written. The sizes of `paper` are ours: they hold the example of its Table 2.
 */
export const igsm: TaskDefinition<IgsmSettings> = {
  name: 'igsm',
  description: 'i-GSM: definitions in any order, modulo 7; write the steps that the query needs, and its value.',
  settings,
  create,
  paper: { igsm: { minNodes: 8, maxNodes: 14, operands: 3, distractors: 0.25, steps: 'full', maxLength: 384 } },
}

const maxDraws = 1000

/**
 * Solutions of fewer steps are never held out: they have so few templates that a model would learn which of them do not
 * occur (two steps have three, of which one may be all of validation). Ours; the paper's problems are far larger.
 */
const stepsHeldOut = 4

function create(sizes: IgsmSettings): Task {
  const { modulus, maxLength } = sizes
  const notation = new Notation(sizes)
  const [question, equals, stop] = [notation.id('?'), notation.id('='), notation.id('.')]
  const end = notation.id('<end>')

  function toSample(problem: readonly number[], answer: readonly number[]): Sample {
    const tokens = new Int32Array(problem.length + answer.length)
    tokens.set(problem)
    tokens.set(answer, problem.length)
    const targets = new Int32Array(tokens.length).fill(-1, 0, problem.length - 1).fill(end, -1)
    targets.set(answer, problem.length - 1)
    return { tokens, targets, weights: new Float32Array(tokens.length).fill(1, problem.length - 1) }
  }

  function draw(random: RandomStream) {
    for (let i = 0; i < maxDraws; i++) {
      const drawn = generate(random, sizes)
      const steps = solve(drawn, modulus)
      const [problem, solution] = [notation.problem(drawn), notation.solution(steps)]
      const content = steps.length < stepsHeldOut ? null : template(steps)
      if (problem.length + solution.length <= maxLength) return { problem, solution, content }
    }
    throw new LatheError(
      `task igsm: none of ${maxDraws} problems fits ${maxLength} tokens: set maxLength higher or maxNodes lower`,
    )
  }

  /** Token ids of the answer to be scored: a bare value ends the solution in place of its own. */
  function readAnswer(target: string, solution: readonly number[]): readonly number[] {
    const words = notation.words(target, 'target')
    if (/^\d+$/.test(words.join(' '))) return [...solution.slice(0, -2), ...notation.encode(words), stop]
    if (/ = \d+ \.$/.test(words.join(' '))) return notation.encode(words)
    throw new LatheError(
      `target ${JSON.stringify(target)} is no answer: write a value, or a solution that ends like E#J = 4.`,
    )
  }

  function parse({ input, target }: Example): Sample {
    const problem = readProblem(notation.words(input, 'input'))
    const solution = notation.solution(solve(problem, modulus))
    const answer = target === undefined ? solution : readAnswer(target, solution)
    const sample = toSample(notation.problem(problem), answer)
    if (sample.tokens.length <= maxLength) return sample
    throw new LatheError(
      `problem and solution are ${sample.tokens.length} tokens: at most ${maxLength} fit, see maxLength`,
    )
  }

  const promptLength = ({ tokens }: Sample) => tokens.indexOf(question) + 1
  return {
    name: 'igsm',
    vocabulary: notation.vocabulary,
    length: maxLength,
    attention: 'causal',
    chance: modulus ** -Math.max(stepsHeldOut, neededOf(sizes.minNodes, sizes)), // all values of the shortest, the names being known
    shortcuts: [],
    sample(key) {
      const { problem, solution } = drawInSplit('igsm', key, draw, ({ content }) => content)
      return toSample(problem, solution)
    },
    score: ({ targets }, predictions) => targets.every((target, i) => target === -1 || predictions[i] === target),
    written: {
      promptLength,
      chance: 1 / modulus,
      end,
      judge: ({ tokens }, answer) =>
        answer.at(-3) === equals && answer.at(-2) === tokens.at(-2) && answer.at(-1) === stop,
    },
    parse,
    format: (sample) => ({
      input: notation.text(sample.tokens.subarray(0, promptLength(sample))),
      target: notation.text(sample.tokens.subarray(promptLength(sample))),
    }),
  }
}
