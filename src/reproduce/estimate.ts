import type { Executor } from '../executor/index.ts'
import { initialParameters, parameterCount } from '../model/parameters.ts'
import { BatchSource, compileStep, drawBatch, GradientComputer, setUp } from '../train/index.ts'
import type { Cell } from './reproduce.ts'

/** What a training will take on this machine if it runs all its steps; optimizer and evaluations are not counted. */
export interface Estimate {
  readonly cell: Cell
  readonly parameters: number
  readonly trainingFlops: number
  readonly hours: number
  /** How many times as fast as they are trained on sequences come from the data thread. */
  readonly dataSpeed: number
}

// Ours: enough sequences to keep every thread busy and to meet the usual lengths, few enough to end at once.
const sequencesPerThread = 4

// Ours: so many that their mean length is the training's, whatever the machine.
const sequencesForFlops = 512

// Ours: what the thread's compiler needs, and then long enough for a steady mean.
const warmMilliseconds = 250
const timedMilliseconds = 500

/** Times a small batch of each training, and the data of each model. */
export async function estimate(cells: readonly Cell[], executor: Executor): Promise<Estimate[]> {
  const known = new Map<string, Omit<Estimate, 'cell'>>()
  const drawing = new Map<number, number>()
  const estimates: Estimate[] = []
  for (const cell of cells) {
    const key = `${cell.model} ${cell.row.plan}`
    const seconds = drawing.get(cell.model) ?? (await secondsToDraw(cell))
    drawing.set(cell.model, seconds)
    const one = known.get(key) ?? (await estimateOne(cell, executor, seconds))
    known.set(key, one)
    estimates.push({ cell, ...one })
  }
  return estimates
}

/** Seconds that the data thread takes for a sequence, nothing else being at work. */
async function secondsToDraw({ recipe }: Cell): Promise<number> {
  const source = new BatchSource({ ...recipe, steps: Number.POSITIVE_INFINITY }, 0)
  const drawFor = async (milliseconds: number) => {
    const began = performance.now()
    for (let batches = 1; ; batches++) {
      await source.next()
      const spent = performance.now() - began
      if (spent >= milliseconds) return spent / 1000 / (batches * recipe.batch)
    }
  }
  await source.next() // until then the thread may still be starting
  await drawFor(warmMilliseconds)
  return drawFor(timedMilliseconds)
}

async function estimateOne(
  { recipe }: Cell,
  executor: Executor,
  drawingSeconds: number,
): Promise<Omit<Estimate, 'cell'>> {
  const { task, config } = setUp(recipe)
  const parameters = initialParameters(config, recipe.seed)
  const compile = (length: number) => compileStep(executor, config, length, recipe)
  const computer = new GradientComputer(executor, parameters.shapes, compile)
  const batch = Math.min(recipe.batch, sequencesPerThread * executor.threads)
  const parts = drawBatch(task, 0, { seed: recipe.seed, batch, accumulation: 1 })
  await computer.compute(parameters, parts)
  const began = performance.now()
  const { flops } = await computer.compute(parameters, parts)
  const seconds = (performance.now() - began) / 1000
  const many = drawBatch(task, 0, { seed: recipe.seed, batch: sequencesForFlops, accumulation: 1 })
  const trainingFlops = (computer.cost(many).flops / sequencesForFlops) * recipe.steps * recipe.batch
  return {
    parameters: parameterCount(parameters),
    trainingFlops,
    hours: (seconds / flops) * (trainingFlops / 3600),
    dataSpeed: seconds / batch / drawingSeconds,
  }
}
