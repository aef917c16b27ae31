import { describe, expect, it } from 'vitest'
import { type ComparedRun, compareRuns, sparkline } from './compare.ts'
import { markdownTable, textTable } from './table.ts'

const run: ComparedRun = {
  name: 'phop-quickstart-1x4-s0',
  plan: '1x4',
  parameters: 198_272,
  effectiveDepth: 4,
  steps: 1500,
  loss: 0.042,
  accuracy: 0.984,
  tokens: 3_072_000,
  seconds: 72,
  curve: [1.4, 1.2, 0.3, 0.05].map((loss, i) => ({ step: i, loss })),
  sweep: [
    { loops: 8, accuracy: 0.71 },
    { loops: 4, accuracy: 0.984 },
  ],
}

describe('compareRuns', () => {
  it('writes runs beside each other, with the loop counts of all of them', () => {
    const other = {
      ...run,
      name: 'b',
      loss: undefined,
      accuracy: undefined,
      curve: [],
      sweep: [{ loops: 1, accuracy: 0.3 }],
    }
    const { columns, rows } = compareRuns([run, other])
    expect(markdownTable(columns, rows).split('\n')).toEqual([
      '| run | plan | params | depth | steps | accuracy | loss | loss curve | tokens | time | 1 loop | 4 loops | 8 loops |',
      '| :--- | :--- | ---: | ---: | ---: | ---: | ---: | :--- | ---: | ---: | ---: | ---: | ---: |',
      '| phop-quickstart-1x4-s0 | 1x4 | 198 k | 4 | 1,500 | 98.4 % | 0.042 | █▇▂▁ | 3.1 M | 1 m 12 s | – | 98.4 % | 71.0 % |',
      '| b | 1x4 | 198 k | 4 | 1,500 | – | – |  | 3.1 M | 1 m 12 s | 30.0 % | – | – |',
    ])
  })

  it('fits 80 columns', () => {
    const { columns, rows } = compareRuns([run, run])
    const widths = textTable(columns, rows)
      .split('\n')
      .map((line) => line.length)
    expect(Math.max(...widths)).toBeLessThanOrEqual(80)
  })

  it('is an empty table for no runs', () => {
    expect(compareRuns([]).rows).toEqual([])
  })
})

describe('sparkline', () => {
  it.each([
    ['falls', [8, 7, 6, 5, 4, 3, 2, 1], '█▇▆▅▄▃▂▁'],
    ['is flat', [2, 2, 2], '▁▁▁'],
    ['is a point', [5], '▁'],
    ['is empty', [], ''],
    ['has gaps', [1, Number.NaN, 2, Number.POSITIVE_INFINITY], '▁█'],
  ])('draws a curve that %s', (_, values, text) => {
    expect(sparkline(values)).toBe(text)
  })

  it('draws a long curve in its width, by means', () => {
    const values = Array.from({ length: 1003 }, (_, i) => 1003 - i)
    expect(sparkline(values, 8)).toBe('█▇▆▅▄▃▂▁')
  })
})
