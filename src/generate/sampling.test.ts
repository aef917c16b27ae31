import { describe, expect, it } from 'vitest'
import { parseSettings } from '../settings/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { chooseToken, logProbability, samplingSchema } from './sampling.ts'

const sampling = (settings: object) => parseSettings(samplingSchema, settings, 'sampling')

const shares = [0.05, 0.4, 0.1, 0.3, 0.15]
const logits = Float32Array.from(shares, (share) => Math.log(share) + 3)

/** How often each token is chosen, a share of 20,000 draws. */
function frequencies(settings: object, of = logits): number[] {
  const draws = 20_000
  const counts = new Array(of.length).fill(0)
  for (let i = 0; i < draws; i++) counts[chooseToken(of, sampling(settings), () => new RandomStream(1, 'draw', i))]++
  return counts.map((n) => n / draws)
}

/** Shares within four standard deviations of 20,000 draws, and none where none is wanted. */
function expectShares(got: number[], wanted: number[]): void {
  expect(got.map((share) => share > 0)).toEqual(wanted.map((share) => share > 0))
  for (const [token, share] of wanted.entries())
    expect(Math.abs(got[token] - share)).toBeLessThan(4 * Math.sqrt(0.25 / 20_000))
}

describe('chooseToken', () => {
  it('takes the likeliest at temperature 0, the first of equals, and draws nothing', () => {
    const refuse = () => {
      throw new Error('a number was drawn')
    }
    expect(chooseToken(logits, sampling({}), refuse)).toBe(1)
    expect(chooseToken(Float32Array.of(1, 2, 2), sampling({}), refuse)).toBe(1)
  })

  it('draws by the softmax', () => {
    expectShares(frequencies({ temperature: 1 }), shares)
  })

  it('draws by the logits over the temperature', () => {
    const powers = shares.map((share) => share ** 2)
    const total = powers.reduce((a, b) => a + b)
    expectShares(
      frequencies({ temperature: 0.5 }),
      powers.map((p) => p / total),
    )
  })

  it.each([
    [{ topK: 2 }, [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]],
    [{ topK: 1 }, [0, 1, 0, 0, 0]],
    [{ topK: 9 }, shares],
    [{ topP: 0.6 }, [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]], // 0.4 alone does not reach it
    [{ topP: 0.39 }, [0, 1, 0, 0, 0]],
    [{ topP: 1 }, shares],
    [{ topK: 2, topP: 0.5 }, [0, 1, 0, 0, 0]], // of the two, the first has 0.57
  ])('leaves out what %o does', (settings, wanted) => {
    expectShares(frequencies({ temperature: 1, ...settings }), wanted)
  })

  it('takes the first of equals into the top k', () => {
    expect(frequencies({ temperature: 1, topK: 2 }, Float32Array.of(0, 1, 1, 1)).map((share) => share > 0)).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('bears logits of any size and temperatures close to 0', () => {
    const far = Float32Array.of(-3e38, 0, 3e38)
    expect(frequencies({ temperature: 1 }, far)).toEqual([0, 0, 1])
    expect(frequencies({ temperature: 1e-30 })).toEqual([0, 1, 0, 0, 0])
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses to choose by %d', (bad) => {
    for (const temperature of [0, 1]) {
      const draw = () => chooseToken(Float32Array.of(0, bad), sampling({ temperature }), () => new RandomStream(1))
      expect(draw).toThrow('the model gives logits that are no finite numbers')
    }
  })
})

describe('logProbability', () => {
  it('is the log of the softmax, whatever is added to the logits', () => {
    shares.forEach((share, token) => {
      expect(logProbability(logits, token)).toBeCloseTo(Math.log(share), 5)
    })
    expect(logProbability(Float32Array.of(1e6, 1e6), 0)).toBeCloseTo(Math.log(0.5), 5)
  })
})

describe('samplingSchema', () => {
  it.each([
    [{ temperature: -1 }, 'sampling: temperature must be a number from 0, got -1'],
    [{ temperature: Number.NaN }, 'sampling: temperature must be a number from 0, got NaN'],
    [{ temperature: 1, topK: 0 }, 'sampling: topK must be a positive integer, got 0'],
    [{ temperature: 1, topP: 0 }, 'sampling: topP must be a number above 0, at most 1, got 0'],
    [{ temperature: 1, topP: 1.1 }, 'sampling: topP must be a number above 0, at most 1, got 1.1'],
    [{ temperature: 1, seed: -1 }, 'sampling: seed must be an integer from 0, got -1'],
    [{ topK: 2 }, 'sampling: topK and topP need a temperature above 0: at 0 the likeliest token is taken'],
    [{ topP: 0.5 }, 'sampling: topK and topP need a temperature above 0: at 0 the likeliest token is taken'],
    [{ temprature: 1 }, 'sampling: there is no setting temprature: did you mean temperature?'],
  ])('refuses %o', (settings, message) => {
    expect(() => sampling(settings)).toThrow(message)
  })
})
