import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { whole } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { drawInSplit } from '../split.ts'
import { type Example, type Sample, type Task, type TaskDefinition, UndefinedAnswerError } from '../task.ts'
import { hops } from './definition.ts'
import { generate } from './generate.ts'
import { shortcuts } from './shortcuts.ts'

const settings = z
  .strictObject({
    n: whole(3, 65536).default(256).describe('letters of a sequence; at least 2p + 1, and 4p is advised'),
    p: whole(1, 32767).default(16).describe('hops from the last letter to the answer'),
    alphabet: whole(2, 26).default(4).describe('letters to choose from: a, b, c, …'),
    loss: z
      .enum(['every', 'last'], 'must be every or last')
      .default('last')
      .describe(
        'where the loss is: at every position with p hops, learned far faster, or the last; the paper does not say',
      ),
  })
  .refine(({ n, p }) => n >= 2 * p + 1, {
    error: ({ input }) => {
      const { n, p } = input as { n: number; p: number }
      return `n = ${n} is too short for p = ${p}: ${p} hops need n ≥ ${2 * p + 1}, and n ≥ ${4 * p} is advised`
    },
  })

export type PhopSettings = z.infer<typeof settings>

/** The p-hop induction task, arXiv 2502.17416 §2.2: see definition.ts for the rule, generate.ts for the sequences. */
export const phop: TaskDefinition<PhopSettings> = {
  name: 'phop',
  description:
    'p-hop induction: from the last letter, go to the letter after its most recent earlier occurrence, p times.',
  settings,
  create,
  paper: {
    'phop-16': { n: 256, p: 16, alphabet: 4 },
    'phop-32': { n: 256, p: 32, alphabet: 4 },
  },
}

function create({ n, p, alphabet, loss }: PhopSettings): Task {
  const vocabulary = Array.from({ length: alphabet }, (_, i) => String.fromCharCode(97 + i))
  const range = `from a to ${vocabulary.at(-1)}`

  function toSample(tokens: Int32Array): Sample {
    const targets = hops(tokens, p)
    if (loss === 'last') targets.fill(-1, 0, -1)
    const weights = new Float32Array(tokens.length)
    for (let i = 0; i < weights.length; i++) weights[i] = targets[i] === -1 ? 0 : 1
    return { tokens, targets, weights }
  }

  function parse({ input, target }: Example): Sample {
    if (input === '') throw new LatheError(`input is empty: write 1 to ${n} letters ${range}`)
    const tokens = Int32Array.from([...input], (letter, i) => {
      const token = vocabulary.indexOf(letter)
      if (token !== -1) return token
      throw new LatheError(`input letter ${i + 1} is ${JSON.stringify(letter)}: write letters ${range}, not separated`)
    })
    if (tokens.length > n) throw new LatheError(`input has ${tokens.length} letters: write at most ${n}`)
    const given = target === undefined ? undefined : vocabulary.indexOf(target)
    if (given === -1) throw new LatheError(`target ${JSON.stringify(target)} is no answer: write one letter ${range}`)
    const sample = toSample(tokens)
    if (sample.targets.at(-1) === -1) {
      throw new UndefinedAnswerError(`input has no answer at p = ${p}: its last letter has fewer hops`)
    }
    if (given !== undefined) sample.targets[tokens.length - 1] = given
    return sample
  }

  return {
    name: 'phop',
    vocabulary,
    length: n,
    attention: 'causal',
    chance: 1 / alphabet,
    get shortcuts() {
      return shortcuts(n, p, alphabet) // measured, so not before they are asked for
    },
    sample: (key) => {
      const draw = (random: RandomStream) => generate(random, n, p, alphabet)
      return toSample(drawInSplit('phop', key, draw, (letters) => letters))
    },
    score: ({ tokens, targets }, predictions) => predictions[tokens.length - 1] === targets.at(-1),
    parse,
    format: ({ tokens, targets }) => ({
      input: Array.from(tokens, (token) => vocabulary[token]).join(''),
      target: vocabulary[targets.at(-1)!]!,
    }),
  }
}
