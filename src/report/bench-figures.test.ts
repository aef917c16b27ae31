import { describe, expect, it } from 'vitest'
import { benchGridFigure } from './bench-grid.ts'
import { benchLoopsFigure } from './bench-loops.ts'

const costs = (factors: readonly number[], picoseconds: readonly number[]) =>
  factors.map((factor, i) => ({ factor, picosecondsPerFlop: picoseconds[i]! }))

const length = costs([1 / 16, 17 / 256, 1 / 8, 1, 4], [1.2, 4.1, 1.1, 0.69, 0.75])
const lines = [
  { label: 'T', points: length.map((point, i) => (i === 1 ? { ...point, cliff: 'T 17' } : point)) },
  { label: 'vocabulary', points: costs([1 / 16, 1, 16, 512], [0.7, 0.7, 0.68, 0.9]) },
]

describe('benchGridFigure', () => {
  it('draws a line an axis, and names the cliffs', async () => {
    await expect(benchGridFigure({ base: 'S', lines })).toMatchFileSnapshot('snapshots/bench-grid.svg')
  })

  it('says in words what it shows', () => {
    expect(benchGridFigure({ base: 'S', lines })).toContain('T: 0.69 to 4.1. vocabulary: 0.68 to 0.90. Cliffs: T 17.')
    expect(benchGridFigure({ base: 'P', lines: [lines[1]!] })).toContain('No cliff.')
  })

  it('refuses nothing to draw', () => {
    expect(() => benchGridFigure({ base: 'S', lines: [] })).toThrow('no points to draw')
    expect(() => benchGridFigure({ base: 'S', lines: [lines[0]!, { label: 'd', points: [] }] })).toThrow(
      'd has no points',
    )
  })
})

describe('benchLoopsFigure', () => {
  const loops = [1, 2, 4, 8, 16, 32, 64]

  it('draws what was measured and the fitted line', async () => {
    const points = loops.map((count, i) => ({ loops: count, msPerStep: 3.2 + 7 * count * (i % 2 ? 1.01 : 0.99) }))
    const svg = benchLoopsFigure({ points, intercept: 3.2, slope: 7 })
    await expect(svg).toMatchFileSnapshot('snapshots/bench-loops.svg')
    expect(svg).toContain('Fitted: 3.2 ms + 7 ms a loop.')
  })

  it('refuses nothing to draw', () => {
    expect(() => benchLoopsFigure({ points: [], intercept: 0, slope: 0 })).toThrow('no points to draw')
  })
})
