import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { igsmTable } from './igsm.ts'
import { fitLog, slopeRatio } from './scaling-fit.ts'
import { fitFindings } from './sentences.ts'
import { type SummaryRow, summarize } from './summary.ts'

const points = (f: (depth: number) => number) => [1, 2, 4, 8].map((depth) => ({ depth, accuracy: f(depth) }))

describe('fitLog', () => {
  it('finds a line that is there', () => {
    const fit = fitLog(points((depth) => 0.2 * Math.log(depth) + 0.1))
    expect(fit.alpha).toBeCloseTo(0.2, 12)
    expect(fit.beta).toBeCloseTo(0.1, 12)
    expect(fit.r2).toBeCloseTo(1, 12)
    expect(fit.interval[1] - fit.interval[0]).toBeLessThan(1e-12)
  })

  it('of the published rows of i-GSM is what the textbook formulas give, worked out apart', () => {
    const published = [0.245, 0.523, 0.699, 0.732].map((accuracy, i) => ({ depth: 2 ** i, accuracy }))
    const fit = fitLog(published)
    expect(fit.alpha).toBeCloseTo(0.236169, 5)
    expect(fit.beta).toBeCloseTo(0.3042, 5)
    expect(fit.interval[0]).toBeCloseTo(-0.005, 4)
    expect(fit.interval[1]).toBeCloseTo(0.4773, 4)
  })

  it('needs three depths', () => {
    const two = [1, 1, 2].map((depth) => ({ depth, accuracy: 0.5 }))
    expect(() => fitLog(two)).toThrow(LatheError)
    expect(() => fitLog(two)).toThrow('a fit of 3 points: at least three depths are needed')
  })
})

describe('slopeRatio', () => {
  const noise = [0.01, -0.01, 0.01, -0.01]
  const noisy = (slope: number) => fitLog(points((depth) => slope * Math.log(depth) + noise[Math.log2(depth)]))

  it('holds the ratio in its interval, which grows with the noise', () => {
    const { ratio, interval } = slopeRatio(noisy(0.2), noisy(0.1))
    expect(ratio).toBeGreaterThan(interval![0])
    expect(ratio).toBeLessThan(interval![1])
    const exact = slopeRatio(fitLog(points((d) => 0.2 * Math.log(d))), fitLog(points((d) => 0.1 * Math.log(d))))
    expect(exact.ratio).toBeCloseTo(2, 10)
    expect(exact.interval![1] - exact.interval![0]).toBeLessThan(1e-6)
  })

  it('has no interval over a slope that may be zero', () => {
    expect(slopeRatio(noisy(0.2), noisy(0.001)).interval).toBeUndefined()
  })
})

describe('fitFindings', () => {
  it('says the same however many seeds agree, because their common misfit is no new knowledge', () => {
    const accuracies = { '1': 0.245, '1x2': 0.523, '1x4': 0.699, '1x8': 0.732, '2': 0.54, '4': 0.713, '8': 0.732 }
    const said = [1, 5].map((seeds) => {
      const rows = Object.entries(accuracies).map(([plan, mean]) => {
        const effectiveDepth = plan.split('x').reduce((product, n) => product * Number(n), 1)
        return {
          plan,
          effectiveDepth,
          cells: { 'final answer': { values: Array(seeds).fill(mean), seeds: [...Array(seeds).keys()], mean } },
        }
      })
      const summary = summarize(igsmTable, igsmTable.scales.laptop!(), [])
      return fitFindings({ ...summary, rows: rows as unknown as SummaryRow[] })
    })
    expect(said[0]).toHaveLength(1)
    expect(said[0][0]).toContain('α = 0.236 (95 %: -0.00 to 0.48')
    expect(said[1]).toEqual(said[0])
  })
})
