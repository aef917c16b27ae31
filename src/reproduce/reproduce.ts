/**
 * Makes a published table again: trains what is missing, goes on with what was interrupted, measures all.
 */
import { join } from 'node:path'
import type { Executor } from '../executor/index.ts'
import { applySettings, type Recipe, resolveRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import {
  createRun,
  DivergedError,
  defaultRunName,
  type Environment,
  isRun,
  type Machine,
  openRun,
  type Run,
  recipeHash,
  type TrainingResult,
} from '../train/index.ts'
import { type Outcome, outcomeOf, storedOutcome } from './outcome.ts'
import type { Row, Scale } from './table.ts'

/** One training of a table. */
export interface Cell {
  readonly row: Row
  /** Index of the scale's model. */
  readonly model: number
  readonly seed: number
  readonly recipe: Recipe
  readonly path: string
}

/** The trainings of a table, seed by seed, so that the table is whole for one seed before the next begins. */
export function cellsOf(
  scale: Scale,
  { seeds, folder, settings = [] }: { seeds: number; folder: string; settings?: readonly string[] },
): Cell[] {
  const fixed = settings.find((setting) => /^(name\b|task|seed\b|model\.plan\b)/.test(setting))
  if (fixed !== undefined)
    throw new LatheError(`${JSON.stringify(fixed)} is the table's own to say: what it measures would be another table`)
  const numbers = Array.from({ length: seeds }, (_, seed) => seed)
  return numbers.flatMap((seed) =>
    scale.models.flatMap((base, model) =>
      scale.rows.flatMap((row) => {
        if (row.once && seed > 0) return []
        const recipe = applySettings(base, [...settings, `model.plan=${row.plan}`, `seed=${seed}`])
        return [{ row, model, seed, recipe, path: join(folder, defaultRunName(recipe)) }]
      }),
    ),
  )
}

export interface ReproduceOptions {
  readonly executor: Executor
  readonly machine: Machine
  /** Trains a run to its end, from where it stands. */
  readonly train: (run: Run, cell: Cell) => Promise<TrainingResult>
  /** Called for a training that diverges, after which the next begins. Default: the error is thrown. */
  readonly onDiverged?: (cell: Cell, error: DivergedError) => void
}

/** What became of a cell. */
export interface CellResult {
  readonly cell: Cell
  readonly outcome: Outcome
  /** What the run was trained with. */
  readonly environment: Environment
}

/**
 * Trains and measures the cells one after another and hands out each that is done; ends early when a training was told
 * to stop. Called again, it does only what is missing. Throws a LatheError for a folder that holds another recipe.
 */
export async function* reproduce(
  scale: Scale,
  cells: readonly Cell[],
  { executor, machine, train, onDiverged }: ReproduceOptions,
): AsyncGenerator<CellResult> {
  for (const cell of cells) {
    const run = await runOf(cell, machine)
    const columns = columnsOf(scale, cell)
    const before = await storedOutcome(run.path, scale, columns)
    if (before) {
      yield { cell, outcome: before, environment: run.environment }
      continue
    }
    const trained = await train(run, cell).catch((error) => {
      if (!(error instanceof DivergedError) || onDiverged === undefined) throw error
      onDiverged(cell, error)
    })
    if (trained === undefined) continue
    if (trained.stopped === 'interrupted') return
    const outcome = await outcomeOf(run, scale, columns, executor)
    yield { cell, outcome, environment: (await openRun(run.path)).environment }
  }
}

const columnsOf = ({ columns }: Scale, cell: Cell) => columns.filter(({ model }) => model === cell.model)

/** Whether a cell was trained and measured before, with this recipe. */
export async function isDone(scale: Scale, cell: Cell): Promise<boolean> {
  if (!(await isRun(cell.path)) || !isOf(await openRun(cell.path), cell)) return false
  return (await storedOutcome(cell.path, scale, columnsOf(scale, cell))) !== undefined
}

async function runOf(cell: Cell, machine: Machine): Promise<Run> {
  const { recipe, path } = cell
  if (!(await isRun(cell.path))) return createRun(recipe, machine, { path })
  const run = await openRun(path)
  if (isOf(run, cell)) return run
  throw new LatheError(`${path} was trained with another recipe: move it away, or give another --out`)
}

const isOf = (run: Run, { recipe }: Cell) => recipeHash(run.recipe) === recipeHash(resolveRecipe(recipe))
