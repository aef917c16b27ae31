import { describe, expect, it } from 'vitest'
import { formatPercent } from './format.ts'
import { type Column, htmlTable, markdownTable, textTable } from './table.ts'

interface Row {
  plan: string
  accuracy?: number | null
}

const columns: Column<Row>[] = [
  { key: 'plan', title: 'plan' },
  { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
]

const rows: Row[] = [{ plan: '4,4x4,4', accuracy: 0.984 }, { plan: '1', accuracy: null }, { plan: '12' }]

describe('textTable', () => {
  it('pads, aligns numbers right and shows what is absent', () => {
    expect(textTable(columns, rows)).toBe(
      ['plan     accuracy', '───────  ────────', '4,4x4,4    98.4 %', '1               –', '12              –'].join(
        '\n',
      ),
    )
  })

  it('writes the head alone for no rows, and nothing for no columns', () => {
    expect(textTable(columns, [])).toBe('plan  accuracy\n────  ────────')
    expect(textTable([], rows)).toBe('')
  })

  it('continues below what does not fit, the first column repeated, no value lost', () => {
    const keys = ['name', 'a', 'b', 'c', 'd', 'e', 'f'] as const
    const row = Object.fromEntries(keys.map((key) => [key, `${key}-${'0123456789'.repeat(2)}`]))
    const text = textTable(
      keys.map((key) => ({ key, title: key })),
      [row],
      80,
    )
    const lines = text.split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    for (const key of keys) expect(text).toContain(row[key])
    expect(lines.filter((line) => line.startsWith('name-'))).toHaveLength(3)
  })

  it('fills the width exactly, and wraps at one less', () => {
    expect(textTable(columns, rows, 17).split('\n\n')).toHaveLength(1)
    const three = [...columns, { key: 'plan', title: 'again' } as const]
    expect(textTable(three, rows, 26).split('\n\n')).toHaveLength(1)
    expect(textTable(three, rows, 25).split('\n\n')).toHaveLength(2)
  })

  it('never parts a column from the one that it is joined to', () => {
    const four = [
      columns[0],
      { key: 'plan', title: 'ours' },
      { key: 'plan', title: 'theirs' },
      { key: 'plan', title: 'theirs, too', joined: true },
    ] as const
    const heads = (width: number) =>
      textTable(four, rows, width)
        .split('\n\n')
        .map((block) => block.split('\n')[0])
    const whole = heads(80)[0]!.split(/ {2,}/)
    expect(whole).toEqual(['plan', 'ours', 'theirs', 'theirs, too'])
    expect(heads(30).map((line) => line!.split(/ {2,}/))).toEqual([
      ['plan', 'ours'],
      ['plan', 'theirs', 'theirs, too'],
    ])
  })

  it('lets no control character of a name reach the terminal', () => {
    expect(textTable(columns, [{ plan: '\x1b[31mred\n' }]).split('\n')[2]).toBe(' [31mred          –')
  })
})

describe('markdownTable', () => {
  it('writes heads, alignments and rows', () => {
    expect(markdownTable(columns, rows.slice(0, 1))).toBe('| plan | accuracy |\n| :--- | ---: |\n| 4,4x4,4 | 98.4 % |')
  })

  it('escapes pipes, backslashes and line breaks', () => {
    expect(markdownTable(columns, [{ plan: 'a|b\\ \n c' }]).split('\n')[2]).toBe('| a\\|b\\\\ c | – |')
  })
})

describe('htmlTable', () => {
  it('marks head and row headers, aligns and escapes', () => {
    const { text } = htmlTable(columns, [{ plan: '<b>', accuracy: 0.5 }])
    expect(text).toContain('<th scope="col" class="right">accuracy</th>')
    expect(text).toContain('<th scope="row" class="left">&#60;b&#62;</th><td class="right">50.0 %</td>')
  })
})
