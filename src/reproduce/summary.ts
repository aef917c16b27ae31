/**
 * A table of ours, from what its trainings came to.
 */
import { LoopPlan } from '../plan/index.ts'
import { createTask, type Shortcut } from '../task/index.ts'
import type { Environment } from '../train/index.ts'
import type { Cell, CellResult } from './reproduce.ts'
import { type Column, type PublishedTable, publishedCell, type Row, type Scale } from './table.ts'

/** A cell over all seeds that are done. */
export interface Measured {
  /** One a training, as fractions, and the seed of each. */
  readonly values: readonly number[]
  readonly seeds: readonly number[]
  readonly mean: number
  /** Standard deviation over seeds (n − 1); absent for one seed. */
  readonly deviation?: number
  readonly published?: number
}

/** By the column's title; absent where nothing is done yet. */
export type MeasuredCells = Readonly<Record<string, Measured>>

export interface SummaryRow {
  readonly plan: string
  /** Least and most over models: each has a vocabulary of its own. */
  readonly parameters: readonly [number, number]
  readonly effectiveDepth: number
  /** Least and most updates over models and seeds: a solved row stops early. */
  readonly steps: readonly [number, number]
  /** Mean of a training. */
  readonly trainingFlops: number
  readonly cells: MeasuredCells
  /** The run with the best average over all columns: where the paper reports it, and of several seeds alone. */
  readonly best?: { readonly seed: number; readonly cells: MeasuredCells }
  /** By the model's index: accuracy and loss at 1 … 4 L loops, mean over seeds; empty for a plain plan. */
  readonly sweeps: readonly (readonly SweepPoint[])[]
  readonly runs: readonly string[]
}

export interface SweepPoint {
  readonly loops: number
  readonly accuracy: number
  readonly loss: number
  /** Of all seeds together; every number of loops is measured on the same ones. */
  readonly samples: number
}

export interface Summary {
  readonly table: PublishedTable
  readonly scale: Scale
  readonly rows: readonly SummaryRow[]
  /** How many of how many are done, and which diverged. */
  readonly trainings: { readonly done: number; readonly of: number; readonly diverged: readonly Cell[] }
  /** The accuracy at which trainings stop, where it is one. */
  readonly target?: number
  /** What the runs were trained with: every commit, and every machine with its executor. */
  readonly commits: readonly string[]
  readonly machines: readonly string[]
  /** What a blind guess has on what each model is trained on, which is what sweeps measure. */
  readonly chances: readonly number[]
  /** By the column's title. */
  readonly levels: Readonly<Record<string, { chance: number; shortcuts: readonly Shortcut[] }>>
}

/** Sums up what is done so far, of so many trainings: rows of which no training is done are left out. */
export function summarize(
  table: PublishedTable,
  scale: Scale,
  results: readonly CellResult[],
  { of = results.length, diverged = [] }: { of?: number; diverged?: readonly Cell[] } = {},
): Summary {
  const rows = scale.rows.flatMap((row) => {
    const own = results.filter(({ cell }) => cell.row === row)
    return own.length > 0 ? [summaryRow(table, scale, row, own)] : []
  })
  const levels = scale.columns.map((column) => {
    const { chance, shortcuts, written } = createTask(column.task ?? scale.models[column.model].task)
    return [column.title, { chance: column.written && written ? written.chance : chance, shortcuts }] as const
  })
  const environments = results.flatMap(({ environment }) => [environment, ...(environment.resumed ?? [])])
  return {
    table,
    scale,
    rows,
    trainings: { done: results.length, of, diverged },
    target: oneOf(results.map(({ cell }) => cell.recipe.evaluate.target)),
    commits: distinct(environments.map(codeText)),
    machines: distinct(environments.map(machineText)),
    chances: scale.models.map(({ task }) => createTask(task).chance),
    levels: Object.fromEntries(levels),
  }
}

function summaryRow(table: PublishedTable, scale: Scale, row: Row, results: readonly CellResult[]): SummaryRow {
  return {
    plan: row.plan,
    parameters: rangeOf(results.map(({ outcome }) => outcome.parameters)),
    effectiveDepth: LoopPlan.parse(row.plan).effectiveDepth,
    steps: rangeOf(results.map(({ outcome }) => outcome.step)),
    trainingFlops: mean(results.map(({ outcome }) => outcome.trainingFlops)),
    cells: measuredCells(table, scale, row, results),
    best: table.best ? bestRun(table, scale, row, results) : undefined,
    sweeps: scale.models.map((_, model) => meanSweep(results.filter(({ cell }) => cell.model === model))),
    runs: results.map(({ cell }) => cell.path),
  }
}

function measuredCells(
  table: PublishedTable,
  { columns }: Scale,
  row: Row,
  results: readonly CellResult[],
): MeasuredCells {
  const cells = columns.flatMap((column) => {
    const found = measured(table, row, column, results)
    return found ? [[column.title, found] as const] : []
  })
  return Object.fromEntries(cells)
}

function bestRun(table: PublishedTable, scale: Scale, row: Row, results: readonly CellResult[]): SummaryRow['best'] {
  const seeds = [...new Set(results.map(({ cell }) => cell.seed))]
  if (seeds.length < 2) return undefined
  const runs = seeds.map((seed) => {
    const own = results.filter(({ cell }) => cell.seed === seed)
    return { seed, cells: measuredCells(table, scale, row, own) }
  })
  const whole = runs.filter(({ cells }) => Object.keys(cells).length === scale.columns.length)
  const sign = table.measure === 'error' ? -1 : 1
  const average = (cells: MeasuredCells) => mean(Object.values(cells).map((cell) => sign * cell.mean))
  return whole.toSorted((a, b) => average(b.cells) - average(a.cells))[0]
}

function measured(
  table: PublishedTable,
  row: Row,
  column: Column,
  results: readonly CellResult[],
): Measured | undefined {
  const own = results.filter(({ outcome }) => outcome.cells[column.title])
  if (own.length === 0) return undefined
  const accuracies = own.map(({ outcome }) => outcome.cells[column.title].accuracy)
  const values = table.measure === 'error' ? accuracies.map((accuracy) => 1 - accuracy) : accuracies
  return {
    values,
    seeds: own.map(({ cell }) => cell.seed),
    mean: mean(values),
    ...(values.length > 1 ? { deviation: deviation(values) } : {}),
    published: publishedCell(table, row, column),
  }
}

function meanSweep(results: readonly CellResult[]): SweepPoint[] {
  const [first] = results
  return (first?.outcome.sweep ?? []).map(({ loops }, i) => ({
    loops,
    accuracy: mean(results.map(({ outcome }) => outcome.sweep[i].accuracy)),
    loss: mean(results.map(({ outcome }) => outcome.sweep[i].loss)),
    samples: results.reduce((sum, { outcome }) => sum + outcome.sweep[i].samples, 0),
  }))
}

/** The mean over trainings of these seeds alone. */
export const meanOver = ({ values, seeds }: Measured, of: readonly number[]): number =>
  mean(values.filter((_, i) => of.includes(seeds[i])))

/** The seeds that all have. */
export const commonSeeds = (cells: readonly Measured[]): number[] =>
  distinct(cells.flatMap(({ seeds }) => seeds)).filter((seed) => cells.every(({ seeds }) => seeds.includes(seed)))

const rangeOf = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)]

const oneOf = <T>(values: readonly T[]): T | undefined => (new Set(values).size === 1 ? values[0] : undefined)

const distinct = <T>(values: readonly T[]) => [...new Set(values)]

const codeText = ({ commit, uncommitted, lathe }: Environment) =>
  commit ? `${commit.slice(0, 7)}${uncommitted ? ' with changes not committed' : ''}` : `of release ${lathe}`

const machineText = ({ cpu, executor, isa, precision, threads }: Environment) =>
  `${cpu}, ${executor} ${isa}, ${precision}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

function deviation(values: readonly number[]): number {
  const m = mean(values)
  return Math.sqrt(values.reduce((sum, x) => sum + (x - m) ** 2, 0) / (values.length - 1))
}
