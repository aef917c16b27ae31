import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { type LoopSweepOptions, loopSweepFigure } from './loop-sweep.ts'

const sweep = (loops: readonly number[], accuracies: readonly number[]) =>
  loops.map((count, i) => ({ loops: count, accuracy: accuracies[i]! }))

const one: LoopSweepOptions = {
  series: [
    {
      label: '1x4, looped',
      trainedLoops: 4,
      points: sweep([1, 2, 3, 4, 5, 6, 7, 8], [0.262, 0.334, 0.612, 0.984, 0.981, 0.93, 0.82, 0.71]),
    },
  ],
  chance: 0.25,
  references: [
    { label: '4, iso-FLOP', accuracy: 0.991 },
    { label: '1, iso-parameter', accuracy: 0.332 },
  ],
}

const crowded: LoopSweepOptions = {
  series: [
    { label: '1x4', trainedLoops: 4, points: sweep([1, 2, 4, 8, 16, 32], [0.26, 0.31, 1, 1, 0.999, 0.99]) },
    { label: '1x8', trainedLoops: 8, points: sweep([1, 2, 4, 8, 16, 32], [0.24, 0.28, 0.5, 1, 1, 1]) },
  ],
  chance: 0.25,
  references: [
    { label: '4', accuracy: 1 },
    { label: '8', accuracy: 0.9995 },
    { label: '1', accuracy: 0.27 },
  ],
}

/** The heights of the labels at the line ends. */
const labelHeights = (svg: string) =>
  [...svg.matchAll(/dy="0.35em" y="([\d.]+)"/g)].map((match) => Number(match[1])).sort((a, b) => a - b)

describe('loopSweepFigure', () => {
  it('draws one looped model', async () => {
    await expect(loopSweepFigure(one)).toMatchFileSnapshot('snapshots/loop-sweep.svg')
  })

  it('draws several that end at almost the same height', async () => {
    await expect(loopSweepFigure(crowded)).toMatchFileSnapshot('snapshots/loop-sweep-crowded.svg')
  })

  it('draws a single point, trained elsewhere', async () => {
    const series = [{ label: '1x1', trainedLoops: 1, points: sweep([4], [0.8]) }]
    await expect(loopSweepFigure({ series, chance: 0.25, references: [] })).toMatchFileSnapshot(
      'snapshots/loop-sweep-single.svg',
    )
  })

  it('lets no two labels overlap and none leave the picture', () => {
    const heights = labelHeights(loopSweepFigure(crowded))
    expect(heights).toHaveLength(6)
    heights.forEach((height, i) => {
      expect(height).toBeGreaterThan(10)
      expect(height).toBeLessThan(340)
      if (i > 0) expect(height - heights[i - 1]!).toBeGreaterThanOrEqual(15.98)
    })
  })

  it('stands alone and repeats itself', () => {
    const svg = loopSweepFigure(one)
    expect(svg).toBe(loopSweepFigure(one))
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:|url\(|<style| id=|class=/)
    expect(svg).toMatch(/<rect fill="#ffffff"/)
    expect(svg).not.toMatch(/\d\.\d{3,}/)
  })

  it('says in words what it shows', () => {
    expect(loopSweepFigure(one)).toContain('1x4, looped, trained with 4 loops: 26.2 % at 1 loop, 33.4 % at 2 loops')
  })

  it('orders the points by loops', () => {
    const series = [{ ...one.series[0]!, points: [...one.series[0]!.points].reverse() }]
    expect(loopSweepFigure({ ...one, series })).toBe(loopSweepFigure(one))
  })

  it('escapes labels in text and in attributes', () => {
    const series = [{ ...one.series[0]!, label: `<i> & "q"` }]
    const svg = loopSweepFigure({ ...one, series })
    expect(svg).not.toContain('<i>')
    expect(svg).not.toMatch(/&(?!#\d+;|amp;|lt;|gt;|quot;)/)
  })

  it.each<[string, Partial<LoopSweepOptions>]>([
    ['no series to draw', { series: [] }],
    ['1x4 has no points', { series: [{ label: '1x4', trainedLoops: 4, points: [] }] }],
    ['1x4 at 4 loops: accuracy', { series: [{ label: '1x4', trainedLoops: 4, points: sweep([4], [98]) }] }],
    ['dense: accuracy', { references: [{ label: 'dense', accuracy: 99 }] }],
    ['chance: accuracy', { chance: 25 }],
  ])('refuses: %s', (message, change) => {
    expect(() => loopSweepFigure({ ...one, ...change })).toThrow(LatheError)
    expect(() => loopSweepFigure({ ...one, ...change })).toThrow(message)
  })
})
