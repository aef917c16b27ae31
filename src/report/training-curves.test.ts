import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { type CurvePoint, trainingCurvesFigure } from './training-curves.ts'

/** A curve that falls to nothing around a step, with a ripple in place of noise. */
const losses = (count: number, around: number): CurvePoint[] =>
  Array.from({ length: count }, (_, i) => ({
    step: i + 1,
    loss: (1.386 / (1 + Math.exp((i - around) / 80))) * (1 + 0.12 * Math.sin(2.3 * i)),
  }))

const accuracies = (around: number): CurvePoint[] =>
  Array.from({ length: 15 }, (_, i) => {
    const step = 100 * (i + 1)
    return { step, accuracy: 0.25 + 0.74 / (1 + Math.exp((around - step) / 90)) }
  })

const xs = (svg: string) => [...svg.matchAll(/<circle [^>]*cx="([\d.]+)"/g)].map((match) => Number(match[1]))

describe('trainingCurvesFigure', () => {
  it('draws losses of many steps as means in a band', async () => {
    const runs = [
      { label: '1x4, looped', points: losses(1500, 600) },
      { label: '4, iso-FLOP', points: losses(1500, 450) },
      { label: '1, iso-parameter', points: losses(1500, 4000) },
    ]
    const svg = trainingCurvesFigure({ runs, metric: 'loss' })
    expect(svg.length).toBeLessThan(40_000)
    await expect(svg).toMatchFileSnapshot('snapshots/training-loss.svg')
  })

  it('draws accuracies point by point', async () => {
    const runs = [
      { label: '1x4, looped', points: accuracies(700) },
      { label: '4, iso-FLOP', points: accuracies(600) },
    ]
    await expect(trainingCurvesFigure({ runs, metric: 'accuracy' })).toMatchFileSnapshot(
      'snapshots/training-accuracy.svg',
    )
  })

  it('takes only the points that have the metric', () => {
    const points = [{ step: 1, loss: 1 }, ...accuracies(700), { step: 2000, loss: Number.NaN }]
    expect(xs(trainingCurvesFigure({ runs: [{ label: 'a', points }], metric: 'accuracy' }))).toHaveLength(15)
    const svg = trainingCurvesFigure({ runs: [{ label: 'a', points }], metric: 'loss' })
    expect(xs(svg)).toHaveLength(1)
    expect(svg).toContain('a: 1.000 at step 1.')
  })

  it('labels a long run with the mean of its last stretch', () => {
    const points = Array.from({ length: 300 }, (_, i) => ({ step: i + 1, loss: i % 2 }))
    const svg = trainingCurvesFigure({ runs: [{ label: 'a', points }], metric: 'loss' })
    expect(svg).toContain('a: 0.500 at step 300.')
  })

  it('draws a loss of nothing', () => {
    const svg = trainingCurvesFigure({ runs: [{ label: 'a', points: [{ step: 1, loss: 0 }] }], metric: 'loss' })
    expect(svg).not.toContain('NaN')
  })

  it.each([
    ['no run to draw', { runs: [], metric: 'loss' as const }],
    ['a has no accuracy at any step', { runs: [{ label: 'a', points: losses(3, 1) }], metric: 'accuracy' as const }],
    ['a has no loss at any step', { runs: [{ label: 'a', points: [] }], metric: 'loss' as const }],
    [
      'a at step 7: accuracy',
      { runs: [{ label: 'a', points: [{ step: 7, accuracy: 31 }] }], metric: 'accuracy' as const },
    ],
  ])('refuses: %s', (message, options) => {
    expect(() => trainingCurvesFigure(options)).toThrow(LatheError)
    expect(() => trainingCurvesFigure(options)).toThrow(message)
  })
})
