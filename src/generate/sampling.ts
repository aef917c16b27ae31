import * as z from 'zod'
import { LatheError } from '../settings/error.ts'
import { must, nonNegative, positiveInteger, wholeNumber } from '../settings/settings.ts'
import type { RandomStream } from '../tensor/random.ts'

const share = must('a number above 0, at most 1')

/** How the next token is chosen. */
export const samplingSchema = z
  .strictObject({
    temperature: nonNegative.default(0).describe('what logits are divided by; 0 takes the likeliest token'),
    topK: positiveInteger.optional().describe('choose among this many of the likeliest tokens'),
    topP: z.number(share).gt(0, share).max(1, share).optional().describe('choose among the likeliest of this share'),
    seed: wholeNumber.default(0).describe('seed of the choices'),
  })
  .refine(({ temperature, topK, topP }) => temperature > 0 || (topK ?? topP) === undefined, {
    error: 'topK and topP need a temperature above 0: at 0 the likeliest token is taken',
  })

export type Sampling = z.output<typeof samplingSchema>

/** The arg-max, the first of equals. */
function likeliest(logits: Float32Array): number {
  let best = 0
  for (let token = 1; token < logits.length; token++) if (logits[token] > logits[best]) best = token
  return best
}

/**
 * Chooses a token by logits `[V]` in nats: of the `topK` likeliest, then of the fewest whose share at the temperature
 * reaches `topP` (Holtzman et al. 2020, §3.1), with one number of the stream that `random` makes.
 */
export function chooseToken(logits: Float32Array, sampling: Sampling, random: () => RandomStream): number {
  const { temperature, topK, topP = 1 } = sampling
  if (!logits.every(Number.isFinite))
    throw new LatheError('the model gives logits that are no finite numbers: no token can be chosen by them')
  if (temperature === 0) return likeliest(logits)
  const tokens = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b).slice(0, topK)
  const weights = tokens.map((token) => Math.exp((logits[token] - logits[tokens[0]]) / temperature))
  const enough = topP * weights.reduce((sum, w) => sum + w)
  let [kept, count] = [0, 0]
  while (kept < enough && count < tokens.length) kept += weights[count++]
  let rest = kept * random().uniform()
  let i = 0
  while (i < count - 1 && (rest -= weights[i]) >= 0) i++
  return tokens[i]
}

/** The log of a token's softmax probability, in nats. */
export function logProbability(logits: Float32Array, token: number): number {
  const most = logits.reduce((a, b) => Math.max(a, b))
  return logits[token] - most - Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0))
}
