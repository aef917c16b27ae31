import { describe, expect, it } from 'vitest'
import { defineRecipe } from '../recipes/index.ts'
import { depthFigure } from './depth-figure.ts'
import {
  type CellResult,
  caption,
  cellsOf,
  findings,
  htmlPage,
  levelSentences,
  markdownReport,
  type PublishedTable,
  type Scale,
  summarize,
  sweepFindings,
} from './index.ts'

const recipe = defineRecipe({
  name: 'r',
  task: { name: 'phop', n: 16, p: 2 },
  model: { plan: '1', dModel: 16, nHeads: 2 },
  steps: 10,
})
const scale: Scale = {
  notes: ['A note.'],
  rows: [{ plan: '4' }, { plan: '1' }, { plan: '1x4' }],
  models: [recipe],
  columns: [{ title: 'p = 2', model: 0, like: 'p = 16' }],
  samples: 100,
}
const table: PublishedTable = {
  name: 't',
  title: 'A table',
  source: 'A paper',
  measure: 'accuracy',
  published: { columns: ['p = 16'], rows: { '4': [0.999], '1': [0.5], '1x4': [0.99] } },
  scales: { laptop: () => scale, paper: () => scale },
}

const environment = {
  lathe: '0.1.0',
  commit: '0123456789abcdef',
  node: '20.0.0',
  platform: 'linux-x64',
  cpu: 'a CPU',
  cores: 2,
  executor: 'native',
  isa: 'avx2',
  precision: 'f32',
  created: '2026-01-01T00:00:00.000Z',
}

/** Results of two seeds with these accuracies by plan, and a sweep of the looped plan. */
function results(accuracies: Record<string, [number, number]>, sweep: Record<number, number> = { 4: 0.9, 16: 0.5 }) {
  return cellsOf(scale, { seeds: 2, folder: 'runs' }).map((cell): CellResult => {
    const { plan } = cell.row
    const evaluation = (accuracy: number, loops = 1) => ({ accuracy, loss: 1, samples: 100, tokens: 1, plan, loops })
    return {
      cell,
      environment: { ...environment, threads: 1 + cell.seed },
      outcome: {
        step: 10 - cell.seed,
        parameters: 100,
        trainingFlops: 1e12,
        cells: { 'p = 2': { accuracy: accuracies[plan][cell.seed], samples: 100 } },
        sweep: plan === '1x4' ? Object.entries(sweep).map(([loops, a]) => evaluation(a, Number(loops))) : [],
      },
    }
  })
}

const seen = results({ '4': [1, 0.98], '1': [0.3, 0.4], '1x4': [0.97, 0.99] })

describe('summarize', () => {
  it('ends the page with notes of one’s own', () => {
    const provenance = { command: 'lathe reproduce t', date: '2026-01-31', notes: 'Seed 1 was odd.\n\n' }
    expect(markdownReport(summarize(table, scale, seen), provenance, 't').markdown).toMatch(
      /threads?\.\n\nSeed 1 was odd\.\n$/,
    )
  })

  it('gives the best run of a row where the paper reports it, of several whole seeds alone', () => {
    const best = (some: PublishedTable, of: readonly CellResult[] = seen) =>
      summarize(some, scale, of).rows.map((row) => row.best && [row.best.seed, row.best.cells['p = 2'].mean])
    expect(best({ ...table, best: true })).toEqual([
      [0, 1],
      [1, 0.4],
      [1, 0.99],
    ])
    expect(best({ ...table, best: true, measure: 'error' })[1]).toEqual([1, 0.6])
    expect(best({ ...table, best: true }, seen.slice(0, 3))).toEqual([undefined, undefined, undefined])
    expect(best(table)).toEqual([undefined, undefined, undefined])
    const unmeasured = seen.map((result) =>
      result.cell.seed === 1 ? { ...result, outcome: { ...result.outcome, cells: {} } } : result,
    )
    expect(best({ ...table, best: true }, unmeasured)[1]).toEqual([0, 0.3])

    const summary = summarize({ ...table, best: true }, scale, seen)
    expect(findings(summary)[0]).toContain(
      '(best runs: 59.0 points above; paper: 49.0 points above), and 1.0 points below',
    )
    const provenance = { command: 'lathe reproduce t', date: '2026-01-31' }
    expect(markdownReport(summary, provenance, 't').markdown).toMatch(
      /## The best run of every row.*\n\n.*\n.*\n\| 4 \| 0 \| 100\.0 \| 99\.9 \|\n/,
    )
    expect(htmlPage(summary, provenance)).toContain('The best run of every row')
    expect(htmlPage(summarize(table, scale, seen), provenance)).not.toContain('The best run of every row')
  })

  it('gives mean and standard deviation over seeds, beside the paper', () => {
    const { rows, levels } = summarize(table, scale, seen)
    expect(rows.map(({ cells }) => cells['p = 2'].mean)).toEqual([0.99, 0.35, 0.98])
    expect(rows[1].cells['p = 2'].deviation).toBeCloseTo(Math.SQRT1_2 / 10, 12)
    expect(rows[2].cells['p = 2'].published).toBe(0.99)
    expect(rows[0].steps).toEqual([9, 10])
    expect(levels['p = 2'].chance).toBe(0.25)
  })

  it('has no deviation for one seed, and leaves out rows of which nothing is done', () => {
    const { rows } = summarize(table, scale, seen.slice(0, 2))
    expect(rows.map(({ plan }) => plan)).toEqual(['4', '1'])
    expect(rows[0].cells['p = 2']).toEqual({ values: [1], seeds: [0], mean: 1, published: 0.999 })
  })

  it('turns accuracies into errors where the table has errors', () => {
    const { rows } = summarize({ ...table, measure: 'error' }, scale, seen)
    expect(rows[1].cells['p = 2'].mean).toBeCloseTo(0.65, 12)
  })
})

describe('the sentences', () => {
  it('set every looped row beside its baselines, ours and the paper’s', () => {
    expect(findings(summarize(table, scale, seen))).toEqual([
      'p = 2: `1x4` has 98.0 %, 63.0 points above `1` of the same parameters (paper: 49.0 points above), ' +
        'and 1.0 points below `4` of the same FLOPs a token (paper: 0.9 points below).',
    ])
    expect(findings(summarize(table, scale, seen.slice(2, 3)))).toEqual([])
  })

  it('say of plain plans alone where depth helps', () => {
    const plain = { ...scale, rows: [{ plan: '4' }, { plan: '1' }] }
    const own = seen.filter(({ cell }) => cell.row.plan !== '1x4')
    const rows = own.map((result) => ({
      ...result,
      cell: { ...result.cell, row: plain.rows[result.cell.row.plan === '4' ? 0 : 1] },
    }))
    expect(findings(summarize(table, plain, rows))).toEqual([
      'From depth 1 to 4, every deeper row is better at: p = 2; better or level at: none; all level at: none; one or more worse at: none.',
    ])
    expect(findings(summarize({ ...table, measure: 'error' }, plain, rows))[0]).toContain('better at: p = 2;')
    const reversed = rows.map((result, i) => ({ ...result, outcome: rows[rows.length - 1 - i].outcome }))
    expect(findings(summarize(table, plain, reversed))[0]).toContain('all level at: none; one or more worse at: p = 2.')
    const same = rows.map((result) => ({ ...result, outcome: rows[0].outcome }))
    expect(findings(summarize(table, plain, same))[0]).toContain('all level at: p = 2; one or more worse at: none.')
    const solved = { ...plain, rows: [{ plan: '8' }, ...plain.rows] }
    const asDeep = rows.filter(({ cell }) => cell.row.plan === '4')
    const deeper = asDeep.map((result) => ({ ...result, cell: { ...result.cell, row: solved.rows[0] } }))
    const found = findings(summarize(table, solved, [...deeper, ...rows]))
    expect(found).toEqual([
      'From depth 1 to 8, every deeper row is better at: none; better or level at: p = 2; all level at: none; one or more worse at: none.',
    ])
  })

  it.each([
    [{ 4: 0.9, 5: 0.95, 16: 0.9 }, 'more loops help, up to 95.0 % at 5'],
    [{ 4: 0.9, 5: 0.95, 16: 0.5 }, 'more loops help, up to 95.0 % at 5, and then hurt, down to 50.0 % at 16'],
    [{ 4: 0.9, 5: 0.9, 16: 0.5 }, 'more loops hurt, down to 50.0 % at 16'],
    [{ 4: 0.9, 5: 0.905, 16: 0.895 }, 'more loops change nothing, up to 16'],
    [{ 4: 0.9, 5: 0.93, 16: 0.87 }, 'more loops change nothing, up to 16'], // 0.04 are two standard errors of 200
  ])('say of a sweep %j that %s', (sweep, verdict) => {
    const summary = summarize(table, scale, results({ '4': [1, 1], '1': [0, 0], '1x4': [0.9, 0.9] }, sweep))
    expect(sweepFindings(summary)).toEqual([`r: \`1x4\`, trained with 4 loops at 90.0 %: ${verdict}.`])
  })
})

describe('the caption', () => {
  it('counts trainings and seeds, and says where a row stops', () => {
    expect(caption(summarize(table, scale, seen))).toBe(
      'Accuracy in percent on held-out samples, mean ± standard deviation over 2 seeds; params: all parameters; FLOPs: mean of ' +
        'a training; steps: updates.',
    )
    const solvable = { ...recipe, evaluate: { ...recipe.evaluate, target: 0.99 } }
    const solved = seen.map((result) => ({ ...result, cell: { ...result.cell, recipe: solvable } }))
    const two = summarize(
      { ...table, measure: 'error' },
      { ...scale, models: [solvable, solvable] },
      solved.slice(0, 4),
      { of: 12 },
    )
    expect(caption(two)).toBe(
      'Unfinished: 4 of 12 trainings are done. Error in percent on held-out samples, mean ± standard deviation over 1 to 2 ' +
        'seeds; params: all parameters; FLOPs: mean of a training, over the 2 trainings of a row and seed; steps: updates, ' +
        'fewer where a row reached 99.0 % of validation samples.',
    )
  })
})

describe('rows of different seeds', () => {
  const [first] = seen.filter(({ cell }) => cell.row.plan === '1x4' && cell.seed === 0)
  const fewer = seen.filter(({ cell }) => cell.row.plan !== '1x4' || cell.seed === 1)

  it('are compared over those that both have', () => {
    expect(first.outcome.cells['p = 2'].accuracy).toBe(0.97)
    expect(findings(summarize(table, scale, fewer))).toEqual([
      'p = 2: `1x4` has 99.0 %, 59.0 points above `1` of the same parameters (of seed 1 alone; paper: 49.0 points above), and ' +
        '1.0 points above `4` of the same FLOPs a token (of seed 1 alone; paper: 0.9 points below).',
    ])
  })

  it('are not compared where they have none in common', () => {
    const apart = fewer.filter(({ cell }) => cell.row.plan === '1x4' || cell.seed === 0)
    expect(findings(summarize(table, scale, apart))).toEqual([])
  })
})

it('the page says what was set otherwise than its notes say', () => {
  const provenance = { command: 'c', date: '2026-01-31', changed: ['model.dModel=32', 'batch=8'] }
  const said = 'Changed here, whatever else is said: model.dModel=32, batch=8.'
  expect(markdownReport(summarize(table, scale, seen), provenance, 't').markdown).toContain(`A note. ${said}\n`)
  expect(htmlPage(summarize(table, scale, seen), provenance)).toContain(said)
})

describe('the levels', () => {
  it('are errors where the table has errors', () => {
    expect(levelSentences(summarize(table, scale, []))[0]).toMatch(/^p = 2: chance 25\.0 %; shortcuts: /)
    expect(levelSentences(summarize({ ...table, measure: 'error' }, scale, []))[0]).toMatch(
      /^p = 2: errors by chance 75\.0 %; shortcuts: /,
    )
    expect(
      levelSentences(summarize(table, scale, [])).filter((text) => text === 'Hop p − 1: one hop too few.'),
    ).toHaveLength(1)
  })
})

describe('the page', () => {
  const provenance = { command: 'lathe reproduce t', date: '2026-01-01' }

  it('in Markdown shows figures that lie beside it', () => {
    const { markdown, figures } = markdownReport(summarize(table, scale, seen), provenance, 'mine')
    const shown = [...markdown.matchAll(/^!\[[^\]]+\]\(([^)]+)\)$/gm)].map((match) => match[1])
    expect(shown).toEqual(Object.keys(figures))
    expect(shown).toEqual(['mine-p-2.svg', expect.stringMatching(/^mine-.*-loops\.svg$/)])
    for (const svg of Object.values(figures)) expect(svg).toMatch(/^<svg .*<\/svg>\n$/s)
    expect(markdown).toContain('98.0 ± 1.4')
  })

  it('says what the rows were trained with, not what printed them', () => {
    const { markdown } = markdownReport(summarize(table, scale, seen), provenance, 'mine')
    expect(markdown.trimEnd().split('\n').at(-1)).toBe(
      '2026-01-01, `lathe reproduce t`. Trained at commit 0123456; on a CPU, native avx2, f32, 1 thread; on a CPU, native ' +
        'avx2, f32, 2 threads.',
    )
  })

  it('says what a training was resumed with', () => {
    const [first, ...rest] = seen
    const resumed = [{ ...first.environment, commit: 'fedcba9876543210', isa: 'avx512', step: 5 }]
    const went = [{ ...first, environment: { ...first.environment, resumed } }, ...rest]
    const { markdown } = markdownReport(summarize(table, scale, went), provenance, 'mine')
    expect(markdown).toMatch(/Trained at commits 0123456, fedcba9; on .*; on a CPU, native avx512, f32, 1 thread; /)
  })

  it('says which of them had changes that were not committed', () => {
    const changed = seen.map((result, i) => ({
      ...result,
      environment: { ...result.environment, uncommitted: i === 0 },
    }))
    const { markdown } = markdownReport(summarize(table, scale, changed), provenance, 'mine')
    expect(markdown).toContain('Trained at commits 0123456 with changes not committed, 0123456; on')
  })

  it('has the table, a figure a column and one of the loops', () => {
    const page = htmlPage(summarize(table, scale, seen), provenance)
    expect(page.match(/<svg/g)).toHaveLength(2)
    expect(page).toContain('98.0 ± 1.4')
    expect(page).toContain('paper, p = 16')
  })

  it('draws plain plans as one line and every looped block from its own depth on', () => {
    const figure = depthFigure(summarize(table, scale, seen), 'p = 2')
    const label = /aria-label="([^"]*)"/.exec(figure)![1]
    expect(label).toBe('accuracy against effective depth. no loop: 1 35.0 %, 4 99.0 %. 1 looped: 1 35.0 %, 1x4 98.0 %.')
  })
})
