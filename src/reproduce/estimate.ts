import { median, timeRuns } from '../bench/measure.ts'
import type { Executor } from '../executor/index.ts'
import { initialParameters, parameterCount } from '../model/parameters.ts'
import { OptimizerRunner } from '../optim/index.ts'
import { BatchSource, compileStep, drawBatch, GradientComputer, recipeOptimizer, setUp } from '../train/index.ts'
import type { Cell } from './reproduce.ts'

/** What a training will take on this machine if it runs all its steps; evaluations are not counted. */
export interface Estimate {
  readonly cell: Cell
  readonly parameters: number
  readonly trainingFlops: number
  readonly hours: number
  /** How many times as fast as they are trained on sequences come from the data thread. */
  readonly dataSpeed: number
}

// Ours: enough sequences to keep every thread busy and to meet the usual lengths, few enough to end at once. Where they
// take no time to speak of, the whole batch is timed.
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

const secondsOf = async (run: () => Promise<unknown>) =>
  median(await timeRuns(run, { least: 2, seconds: timedMilliseconds / 1000 })) / 1000

async function estimateOne(
  { recipe }: Cell,
  executor: Executor,
  drawingSeconds: number,
): Promise<Omit<Estimate, 'cell'>> {
  const { task, config } = setUp(recipe)
  const parameters = initialParameters(config, recipe.seed)
  const compile = (length: number) => compileStep(executor, config, length, recipe)
  const computer = new GradientComputer(executor, parameters.shapes, compile)
  const optimizer = new OptimizerRunner(executor, recipeOptimizer(recipe), parameters.shapes)
  const draw = (batch: number) => drawBatch(task, 0, { seed: recipe.seed, batch, accumulation: 1 })
  const few = Math.min(recipe.batch, sequencesPerThread * executor.threads)
  const { gradients } = await computer.compute(parameters, draw(few))
  const began = performance.now()
  await computer.compute(parameters, draw(few))
  const batch = performance.now() - began < timedMilliseconds / 10 ? recipe.batch : few
  const parts = draw(batch)
  const seconds = await secondsOf(() => computer.compute(parameters, parts))
  const updateSeconds = await secondsOf(() =>
    optimizer.update({ parameters: parameters.values, gradients, learningRate: 0, step: 1, scale: 1 }),
  )
  const trainingFlops = (computer.cost(draw(sequencesForFlops)).flops / sequencesForFlops) * recipe.steps * recipe.batch
  return {
    parameters: parameterCount(parameters),
    trainingFlops,
    hours: ((seconds / computer.cost(parts).flops) * trainingFlops + updateSeconds * recipe.steps) / 3600,
    dataSpeed: seconds / batch / drawingSeconds,
  }
}
