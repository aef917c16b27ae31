import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/index.ts'
import { defineRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { loadCheckpoint, saveCheckpoint } from '../train/checkpoint.ts'
import { DivergedError, train } from '../train/index.ts'
import { estimate } from './estimate.ts'
import {
  type Cell,
  cellsOf,
  findTable,
  htmlPage,
  isDone,
  markdownReport,
  reproduce,
  type Scale,
  scaleOf,
  summarize,
  tables,
} from './index.ts'
import { sweepCounts } from './outcome.ts'
import { publishedCell } from './table.ts'

const executor = referenceExecutor()
const machine = { executor: 'reference', isa: 'typescript', precision: 'f32', threads: 1 }

const recipe = defineRecipe({
  name: 'tiny',
  task: { name: 'phop', n: 8, p: 1, loss: 'every' },
  model: { plan: '1', dModel: 16, nHeads: 2, dFf: 32 },
  steps: 6,
  batch: 4,
  optimizer: { name: 'adamw', lr: 1e-2 },
  evaluate: { every: 3, samples: 8, loops: [1] },
  checkpoint: { every: 2, keep: 1 },
})
const scale: Scale = {
  notes: ['Tiny.'],
  rows: [{ plan: '2' }, { plan: '1' }, { plan: '1x2' }],
  models: [recipe],
  columns: [
    { title: 'p = 1', model: 0, like: 'p = 16' },
    { title: 'p = 2', model: 0, task: { name: 'phop', n: 8, p: 2, loss: 'every' } },
  ],
  samples: 64,
}
const table = findTable('lt-table1-phop')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-reproduce-'))
})
afterEach(() => rm(folder, { recursive: true }))

/**
 * Makes the table in `out`; each training stops after `stopAt` updates of this call, as Ctrl-C does, and that of the plan
 * `diverging` comes to nothing.
 */
async function make(out: string, { seeds = 1, stopAt = Number.POSITIVE_INFINITY, diverging = '' } = {}) {
  const cells = cellsOf(scale, { seeds, folder: join(folder, out) })
  const trained: string[] = []
  const diverged: Cell[] = []
  const options = {
    executor,
    machine,
    onDiverged: (cell: Cell) => void diverged.push(cell),
    train: async (run: Parameters<typeof train>[0], { recipe }: Cell) => {
      trained.push(`${recipe.model.plan} ${recipe.seed}`)
      if (recipe.model.plan === diverging) throw new DivergedError('step 3: the loss is NaN')
      const controller = new AbortController()
      let updates = 0
      const onStep = () => ++updates === stopAt && controller.abort()
      return train(run, { executor, onStep, signal: controller.signal })
    },
  }
  const results = []
  for await (const result of reproduce(scale, cells, options)) results.push(result)
  return { results, trained, summary: summarize(table, scale, results, { of: cells.length, diverged }) }
}

const page = (summary: Awaited<ReturnType<typeof make>>['summary']) => {
  return markdownReport(summary, { command: 'c', date: '2026-01-01' }, 'tiny')
}

describe('reproduce', () => {
  it('trains every row of every seed, and only what is missing', async () => {
    const { trained, summary } = await make('whole', { seeds: 2 })
    expect(trained).toEqual(['2 0', '1 0', '1x2 0', '2 1', '1 1', '1x2 1'])
    expect(summary.rows.map(({ plan, effectiveDepth, steps }) => [plan, effectiveDepth, ...steps])).toEqual([
      ['2', 2, 6, 6],
      ['1', 1, 6, 6],
      ['1x2', 2, 6, 6],
    ])
    for (const { cells } of summary.rows) expect(cells['p = 1'].values).toHaveLength(2)
    const again = await make('whole', { seeds: 3 })
    expect(again.trained).toEqual(['2 2', '1 2', '1x2 2'])
    expect(again.summary.rows[0].cells['p = 1'].values.slice(0, 2)).toEqual(summary.rows[0].cells['p = 1'].values)
  }, 120_000)

  it('stopped again and again ends with the same table', async () => {
    const whole = await make('through')
    let calls = 0
    for (;;) {
      calls++
      const { results, summary } = await make('stopped', { stopAt: 4 })
      if (results.length < scale.rows.length) continue
      expect(page(summary)).toEqual(page(whole.summary))
      break
    }
    expect(calls).toBeGreaterThan(2)
  }, 120_000)

  it('goes on after a training that diverges, and says so', async () => {
    const { trained, summary } = await make('runs', { diverging: '1' })
    expect(trained).toEqual(['2 0', '1 0', '1x2 0'])
    expect(summary.rows.map(({ plan }) => plan)).toEqual(['2', '1x2'])
    expect(page(summary).markdown).toContain('Unfinished: 2 of 3 trainings are done. `1` of tiny, seed 0, diverged. ')
    expect((await make('runs')).trained).toEqual(['1 0'])
  }, 120_000)

  it('makes the same table from what is left of runs: recipe, machine and outcome', async () => {
    const { results, summary } = await make('runs')
    for (const { cell } of results)
      for (const name of await readdir(cell.path))
        if (!['recipe.json', 'env.json', 'outcome.json'].includes(name))
          await rm(join(cell.path, name), { recursive: true })
    const again = await make('runs')
    expect(again.trained).toEqual([])
    expect(page(again.summary)).toEqual(page(summary))
  }, 120_000)

  it('measures other columns anew without training again', async () => {
    const { results } = await make('runs')
    const path = join(results[0].cell.path, 'outcome.json')
    const stored = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...stored, of: { columns: [], samples: 1 }, outcome: {} }))
    const { summary } = await make('runs')
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(stored)
    expect(summary.rows[0].cells['p = 2'].values).toHaveLength(1)
  }, 120_000)

  it('names an outcome that is no JSON, and makes nothing in its place', async () => {
    const { results } = await make('runs')
    const path = join(results[0].cell.path, 'outcome.json')
    await writeFile(path, '<<<<<<< HEAD\n')
    await expect(make('runs')).rejects.toThrow(`${path}: it is no JSON`)
    expect(await readFile(path, 'utf8')).toBe('<<<<<<< HEAD\n')
  }, 120_000)

  it('knows which trainings are done', async () => {
    await make('runs', { diverging: '1' })
    const done = (of: Scale) =>
      Promise.all(cellsOf(of, { seeds: 1, folder: join(folder, 'runs') }).map((cell) => isDone(of, cell)))
    expect(await done(scale)).toEqual([true, false, true])
    expect(await done({ ...scale, samples: 32 })).toEqual([false, false, false])
    expect(await done({ ...scale, models: [{ ...recipe, steps: 7 }] })).toEqual([false, false, false])
  }, 120_000)

  it('sweeps looped plans alone, at 1 … 4 L loops', async () => {
    const { summary } = await make('runs')
    expect(summary.rows.map(({ sweeps }) => sweeps[0].map(({ loops }) => loops))).toEqual([[], [], [1, 2, 3, 4, 6, 8]])
    expect(sweepCounts(1)).toEqual([1, 2, 4])
    const trained = summary.rows[2].sweeps[0][1].accuracy
    expect(trained).toBeGreaterThan(0)
    expect(page(summary).markdown).toMatch(
      /`1x2`, trained with 2 loops at \d+\.\d %: more loops (help|hurt|change nothing), /,
    )
  }, 120_000)

  it('keeps a loss that is no number as null, and prints it as a dash', async () => {
    const { results } = await make('runs')
    const { path } = results[2].cell
    const { step, parameters, optimizer, state, config } = await loadCheckpoint({ path })
    for (const { data } of parameters.values()) data.fill(3e38)
    await saveCheckpoint({ path }, { step, parameters, optimizer, state, config })
    await rm(join(path, 'outcome.json'))
    const measured = await make('runs')
    const losses = ({ summary }: typeof measured) => summary.rows[2].sweeps[0].map(({ loss }) => loss)
    expect(losses(measured)).toEqual(new Array(6).fill(Number.NaN))
    const again = await make('runs')
    expect(losses(again)).toEqual(losses(measured))
    expect(htmlPage(again.summary, { command: 'c', date: '2026-01-01' })).toMatch(/>1x2<.*>–<\/td>/)
  }, 120_000)

  it('refuses a folder that holds another recipe, and leaves it', async () => {
    const { results } = await make('runs')
    const { path } = results[0].cell
    const before = await readdir(path)
    const other = { ...scale, models: [defineRecipe({ ...recipe, clip: 2 })] }
    const cells = cellsOf(other, { seeds: 1, folder: join(folder, 'runs') })
    const made = reproduce(other, cells, { executor, machine, train: () => expect.fail('it trained') })
    const error = await made.next().catch((error) => error)
    expect(error).toBeInstanceOf(LatheError)
    expect(error.message).toBe(`${path} was trained with another recipe: move it away, or give another --out`)
    expect(await readdir(path)).toEqual(before)
  }, 120_000)

  it.each(['name=mine', 'task.p=2', 'task={"name":"phop"}', 'seed=3', 'model.plan=4'])(
    'refuses %s, which would make another table',
    (setting) => {
      const cells = () => cellsOf(scale, { seeds: 1, folder, settings: ['steps=10', setting] })
      expect(cells).toThrow(`${JSON.stringify(setting)} is the table's own to say`)
    },
  )

  it('trains the rows that are made once with the first seed alone', () => {
    const rows = [{ plan: '2' }, { plan: '1', once: true }]
    const cells = cellsOf({ ...scale, rows }, { seeds: 3, folder })
    expect(cells.map(({ row, seed }) => `${row.plan} ${seed}`)).toEqual(['2 0', '1 0', '2 1', '2 2'])
  })

  it('estimates the whole training from a few sequences', async () => {
    const cells = cellsOf(scale, { seeds: 2, folder })
    const estimates = await estimate(cells, executor)
    expect(estimates.map(({ cell }) => cell)).toEqual(cells)
    const [two, one, looped] = estimates
    expect(two.trainingFlops).toBe(looped.trainingFlops)
    expect(two.trainingFlops / one.trainingFlops).toBeGreaterThan(1.5)
    expect(two.parameters).toBeGreaterThan(looped.parameters)
    expect(looped.parameters).toBe(one.parameters)
    for (const { hours, dataSpeed } of estimates) expect([hours > 0, dataSpeed > 0]).toEqual([true, true])
    expect(await readdir(folder)).toEqual([])
  })
})

describe('tables', () => {
  it.each([...tables.values()])(
    '$name has whole scales: recipes that hold, columns of its models, cells that exist',
    (table) => {
      for (const make of Object.values(table.scales)) {
        const scale = make()
        expect(new Set(scale.columns.map(({ title }) => title)).size).toBe(scale.columns.length)
        expect(new Set(scale.columns.map(({ model }) => model)).size).toBe(scale.models.length)
        const cells = cellsOf(scale, { seeds: 1, folder: 'runs' })
        expect(new Set(cells.map(({ path }) => path)).size).toBe(cells.length)
        summarize(table, scale, [])
        if (table.published.columns.length === 0) continue
        for (const row of scale.rows)
          for (const column of scale.columns) {
            const cell = publishedCell(table, row, column)
            if (column.like !== undefined || table.published.columns.includes(column.title))
              expect(cell, `${row.plan} ${column.title}`).toBeDefined()
            if (cell !== undefined) expect(cell).toBeLessThanOrEqual(1)
          }
      }
      for (const values of Object.values(table.published.rows))
        expect(values).toHaveLength(table.published.columns.length)
    },
  )

  it('of an unknown name are an error that names the nearest', () => {
    expect(() => findTable('lt-table1-phob')).toThrow(
      'no table is called "lt-table1-phob": did you mean lt-table1-phop?',
    )
    expect(() => findTable('xyz')).toThrow('there are ')
    expect(() => findTable('xyz')).toThrow(LatheError)
    expect(() => scaleOf(findTable('primitives'), 'paper')).toThrow(
      'primitives has no paper scale: no setting of it is published',
    )
  })
})
