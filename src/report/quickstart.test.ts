import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { exampleInput } from './quickstart.fixture.ts'
import { quickstartReport } from './quickstart.ts'
import { quickstartColumns, quickstartNote } from './quickstart-input.ts'
import { quickstartSentences } from './quickstart-sentences.ts'
import { textTable } from './table.ts'

const input = exampleInput({ looped: 0.984, isoFlop: 0.991, isoParameter: 0.332 })
const plain = (text: string | null | undefined) => text?.replaceAll('\u00a0', ' ')

describe('quickstartReport', () => {
  const { document } = parseHTML(quickstartReport(input))
  const texts = (selector: string) => [...document.querySelectorAll(selector)].map((node) => plain(node.textContent))

  it('opens with the sentences', () => {
    expect(texts('.summary p')).toEqual(quickstartSentences(input).map((text) => text.replaceAll('`', '')))
  })

  it('holds every row of the table', () => {
    const rows = [...document.querySelectorAll('table')[0].querySelectorAll('tbody tr')]
    const cells = rows.map((row) => [...row.children].map((cell) => cell.textContent).join(' | '))
    expect(cells).toEqual([
      '1 | iso-parameter | 198 k | 1 | 1.3 TFLOP | 1,500 | 11 s | 33.2 % | 25.0 %',
      '1x4 | looped | 198 k | 4 | 5.1 TFLOP | 1,500 | 43 s | 98.4 % | 25.0 %',
      '4 | iso-FLOP | 788 k | 4 | 5.1 TFLOP | 1,500 | 1 m 1 s | 99.1 % | 25.0 %',
    ])
    expect(texts('figcaption')[0]).toContain(quickstartNote(input))
  })

  it('gives each evaluated loop count its effective depth', () => {
    const rows = [...document.querySelectorAll('table')[1].querySelectorAll('tbody tr')]
    const cells = rows.map((row) => [...row.children].slice(0, 2).map((cell) => cell.textContent))
    expect(cells).toEqual([
      ['1', '1'],
      ['2', '2'],
      ['4, as trained', '4'],
      ['8', '8'],
    ])
  })

  it('draws the sweep and both curves, each model in one colour throughout', () => {
    const figures = [...document.querySelectorAll('.picture svg')]
    expect(figures).toHaveLength(3)
    const colours = figures.map((svg) =>
      ['1x4, looped', '4, iso-FLOP', '1, iso-parameter'].map((name) => {
        const label = [...svg.querySelectorAll('tspan')].find((node) => node.textContent === name)
        return label?.parentNode.getAttribute('fill')
      }),
    )
    expect(new Set(colours[0]).size).toBe(3)
    expect(colours[1]).toEqual(colours[0])
    expect(colours[2]).toEqual(colours[0])
  })

  it('explains the task and says how to go on', () => {
    expect(texts('pre')).toEqual(['input   badcabcdab\ntarget  c', 'lathe eval runs/a --loops 1,2'])
    expect(texts('dd')).toContain('native, amx, bf16, 2 threads')
  })

  it('names a curve that is missing', () => {
    expect(() => quickstartReport({ ...input, curves: input.curves.slice(1) })).toThrow(
      new LatheError('quickstart report: no training curve labelled 1'),
    )
  })
})

describe('quickstartColumns', () => {
  it('fit a terminal of 80 columns in one piece', () => {
    const wide = input.rows.map((row) => ({ ...row, seconds: 119, trainingFlops: 9.9e14, parameters: 999_000 }))
    const lines = textTable(quickstartColumns, wide).split('\n')
    expect(lines).toHaveLength(5)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })
})
