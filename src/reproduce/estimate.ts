import type { Executor } from '../executor/index.ts'
import { initialParameters, parameterCount } from '../model/parameters.ts'
import { drawBatch, GradientComputer, setUp } from '../train/index.ts'
import type { Cell } from './reproduce.ts'

/** What a training will take on this machine if it runs all its steps; optimizer and evaluations are not counted. */
export interface Estimate {
  readonly cell: Cell
  readonly parameters: number
  readonly trainingFlops: number
  readonly hours: number
}

// Ours: enough sequences to keep every thread busy and to meet the usual lengths, few enough to end at once.
const sequencesPerThread = 4

/** Times a small batch of each training. Data is drawn as the training will. */
export async function estimate(cells: readonly Cell[], executor: Executor): Promise<Estimate[]> {
  const known = new Map<string, Omit<Estimate, 'cell'>>()
  const estimates: Estimate[] = []
  for (const cell of cells) {
    const key = `${cell.model} ${cell.row.plan}`
    const one = known.get(key) ?? (await estimateOne(cell, executor))
    known.set(key, one)
    estimates.push({ cell, ...one })
  }
  return estimates
}

async function estimateOne({ recipe }: Cell, executor: Executor): Promise<Omit<Estimate, 'cell'>> {
  const { task, config } = setUp(recipe)
  const parameters = initialParameters(config, recipe.seed)
  const computer = new GradientComputer(executor, config, parameters.shapes, recipe)
  const batch = Math.min(recipe.batch, sequencesPerThread * executor.threads)
  const parts = drawBatch(task, 0, { seed: recipe.seed, batch, accumulation: 1 })
  await computer.compute(parameters, parts)
  const began = performance.now()
  const { flops } = await computer.compute(parameters, parts)
  const seconds = (performance.now() - began) / 1000
  const sequences = recipe.steps * recipe.batch
  return {
    parameters: parameterCount(parameters),
    trainingFlops: (flops / batch) * sequences,
    hours: ((seconds / batch) * sequences) / 3600,
  }
}
