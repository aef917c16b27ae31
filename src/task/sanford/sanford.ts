import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { oneOf, whole } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { hops } from '../phop/definition.ts'
import { drawInSplit } from '../split.ts'
import { type Example, type Sample, type Task, type TaskDefinition, UndefinedAnswerError } from '../task.ts'
import { shortcuts } from './shortcuts.ts'

const settings = z
  .strictObject({
    n: whole(2, 65535).default(98).describe('letters of a sequence, which the hop count stands before'),
    hops: whole(0, 1000).default(16).describe('the largest hop count; each goes back alphabet − 1 letters on average'),
    alphabet: whole(3, 26).default(4).describe('letters to choose from: a, b, c, …'),
    only: whole(0, 1000).optional().describe('the one hop count to draw; by default any from 0 to hops'),
    undefined: oneOf('predict', 'skip')
      .default('predict')
      .describe('whether ~ and _, where no hop is defined, are to be predicted or left out of the loss'),
  })
  // No two letters hop to the same place, so a hop fails at most alphabet − 1 of them, the first hop one more.
  .refine(({ n, hops, alphabet }) => n >= hops * (alphabet - 1) + 2, {
    error: ({ input }) => {
      const { n, hops, alphabet } = input as { n: number; hops: number; alphabet: number }
      const least = hops * (alphabet - 1) + 2
      return `n = ${n} is too short for ${hops} hops over ${alphabet} letters: set n ≥ ${least}, where some letter always has them`
    },
  })
  .refine(({ hops, only = 0 }) => only <= hops, {
    error: ({ input }) => {
      const { hops, only } = input as { hops: number; only: number }
      return `only = ${only} is above hops = ${hops}: set one of them`
    },
  })

export type SanfordSettings = z.infer<typeof settings>

/**
 * p-hop induction as Sanford, Hsu and Telgarsky train it (arXiv 2402.09268; repository chsanford/hop-induction-heads):
 * the hop count is the first token, then come letters of which no two neighbours are equal, each uniform over the
 * others. Every position is to predict hop_h at its letter, `~` where that is undefined, and `_` at the hop count; their
 * loss is on all of these. Their error, over the letters with a defined hop only, is 1 − accuracy as `tally` counts it.
 * Token ids are theirs: hop counts, letters, `~`, `_`; their model has room for 30. Held out are letters: they are in no
 * training sequence, whatever its hop count.
 */
export const sanford: TaskDefinition<SanfordSettings> = {
  name: 'sanford',
  description: 'hop induction at every letter: the first token says how many hops.',
  settings,
  create,
  paper: { 'hops-16': { n: 98, hops: 16, alphabet: 4, undefined: 'predict' } },
}

function create({ n, hops: most, alphabet, only, undefined: elsewhere }: SanfordSettings): Task {
  const counts = Array.from({ length: most + 1 }, (_, hopCount) => String(hopCount))
  const letters = Array.from({ length: alphabet }, (_, i) => String.fromCharCode(97 + i))
  const vocabulary = [...counts, ...letters, '~', '_']
  const [noHop, atCount] = elsewhere === 'skip' ? [-1, -1] : [vocabulary.length - 2, vocabulary.length - 1]
  const range = `from a to ${letters.at(-1)}`
  const isLetter = (token: number) => token >= counts.length && token < counts.length + alphabet

  function draw(random: RandomStream) {
    const hopCount = only ?? random.integer(counts.length)
    const drawn = new Int32Array(n)
    drawn[0] = random.integer(alphabet)
    for (let i = 1; i < n; i++) drawn[i] = (drawn[i - 1] + 1 + random.integer(alphabet - 1)) % alphabet
    return { hopCount, drawn }
  }

  function toSample(hopCount: number, drawn: Int32Array, answers = hops(drawn, hopCount)): Sample {
    const letterIds = drawn.map((letter) => counts.length + letter)
    const answerIds = answers.map((letter) => (letter === -1 ? noHop : counts.length + letter))
    const tokens = new Int32Array(drawn.length + 1).fill(hopCount)
    const targets = new Int32Array(tokens.length).fill(atCount)
    tokens.set(letterIds, 1)
    targets.set(answerIds, 1)
    return { tokens, targets, weights: new Float32Array(tokens.length).map((_, i) => (targets[i] === -1 ? 0 : 1)) }
  }

  function read(text: string, what: string, allowed: readonly string[]): Int32Array {
    return Int32Array.from([...text], (character, i) => {
      if (allowed.includes(character)) return letters.indexOf(character)
      const write = allowed.length > alphabet ? `letters ${range}, or ~ where there are fewer hops` : `letters ${range}`
      throw new LatheError(`${what} letter ${i + 1} is ${JSON.stringify(character)}: write ${write}, not separated`)
    })
  }

  function parse({ input, target }: Example): Sample {
    const [, count, text] = /^([0-9]+) (.+)$/s.exec(input) ?? []
    if (text === undefined) throw new LatheError('input is not a hop count, a space and letters: write it like 1 abcab')
    if (!counts.includes(count)) throw new LatheError(`input has hop count ${count}: write 0 to ${most}`)
    const drawn = read(text, 'input', letters)
    if (drawn.length > n) throw new LatheError(`input has ${drawn.length} letters: write at most ${n}`)
    const twin = drawn.findIndex((letter, i) => letter === drawn[i - 1])
    if (twin !== -1) throw new LatheError(`input letters ${twin} and ${twin + 1} are equal: neighbours must differ`)
    const answers = target === undefined ? undefined : read(target, 'target', [...letters, '~'])
    if (answers !== undefined && answers.length !== drawn.length)
      throw new LatheError(`target has ${answers.length} letters for ${drawn.length} of input: write as many`)
    const sample = toSample(Number(count), drawn, answers)
    if (sample.targets.some(isLetter)) return sample
    throw new UndefinedAnswerError(`input has no answer at ${count} hops: every target is ~`)
  }

  function tally({ targets }: Sample, predictions: Int32Array) {
    const defined = Array.from(targets.keys()).filter((i) => isLetter(targets[i]))
    return { right: defined.filter((i) => predictions[i] === targets[i]).length, of: defined.length }
  }

  return {
    name: 'sanford',
    vocabulary,
    length: n + 1,
    attention: 'causal',
    chance: 1 / alphabet,
    shortcuts: only === undefined ? [] : shortcuts(n, only, alphabet),
    sample(key) {
      const { hopCount, drawn } = drawInSplit('sanford', key, draw, (sequence) => sequence.drawn)
      return toSample(hopCount, drawn)
    },
    score(sample, predictions) {
      const { right, of } = tally(sample, predictions)
      return right === of
    },
    tally,
    parse,
    format: ({ tokens, targets }) => ({
      input: `${tokens[0]} ${Array.from(tokens.subarray(1), (token) => vocabulary[token]).join('')}`,
      target: Array.from(targets.subarray(1), (target) => vocabulary[target] ?? '~').join(''),
    }),
  }
}
