/**
 * How the time of a training step grows with loops, with threads, and without tied weights.
 */
import { chooseExecutor, type Executor, type ExecutorChoice } from '../executor/index.ts'
import { clocked, median, type Ratio, ratioOf, timeInTurn } from './measure.ts'
import { namedSizes, type Sizes, transformerModel } from './models.ts'
import type { NamedModel } from './named-model.ts'
import { BenchStep, drawStep } from './step.ts'

export interface ScalingOptions {
  readonly executor: Executor
  readonly seed: number
  /** Time of each step's runs, together. */
  readonly seconds: number
}

/** y = intercept + slope · x, fitted so that the sum of squared relative residuals is least. */
export interface AffineFit {
  readonly intercept: number
  readonly slope: number
  /** Fitted over measured, minus 1, of each point. */
  readonly residuals: readonly number[]
}

export function fitAffine(points: readonly { readonly x: number; readonly y: number }[]): AffineFit {
  let [s, sx, sxx, sy, sxy] = [0, 0, 0, 0, 0]
  for (const { x, y } of points) {
    const weight = 1 / (y * y)
    s += weight
    sx += weight * x
    sxx += weight * x * x
    sy += weight * y
    sxy += weight * x * y
  }
  const slope = (s * sxy - sx * sy) / (s * sxx - sx * sx)
  const intercept = (sy - slope * sx) / s
  return { intercept, slope, residuals: points.map(({ x, y }) => (intercept + slope * x) / y - 1) }
}

export const loopCounts: readonly number[] = [1, 2, 4, 8, 16, 32, 64]

export interface LoopScaling {
  readonly points: readonly {
    readonly loops: number
    readonly msPerStep: number
    readonly residual: number
  }[]
  /** Milliseconds of a step that no loop has a part in, and of each loop. */
  readonly intercept: number
  readonly slope: number
}

/** Whole steps of one layer that is looped more and more often; by default of L's size, with 8 sequences. */
export async function scaleLoops(
  options: ScalingOptions,
  counts = loopCounts,
  sizes: Omit<Sizes, 'plan'> = { ...namedSizes.L, batch: 8 },
): Promise<LoopScaling> {
  const models = counts.map((loops) => transformerModel(`1x${loops}`, { ...sizes, plan: `1x${loops}` }))
  const times = await timeSteps(
    models.map((model) => benchStep(model, options)),
    options,
  )
  const measured = times.map((ms, i) => ({ x: counts[i], y: median(ms) }))
  const { intercept, slope, residuals } = fitAffine(measured)
  const points = measured.map(({ x, y }, i) => ({ loops: x, msPerStep: y, residual: residuals[i] }))
  return { points, intercept, slope }
}

export interface ThreadScaling {
  /** Milliseconds of a step on one thread, and on all of the executor's. */
  readonly one: number
  readonly all: number
  readonly speedup: Ratio
}

/** The same step on one thread and on all of them, in turn. */
export async function scaleThreads(
  model: NamedModel,
  choice: ExecutorChoice,
  options: ScalingOptions,
): Promise<ThreadScaling> {
  const alone = { ...options, executor: chooseExecutor({ ...choice, threads: 1 }) }
  const [one, all] = await timeSteps([benchStep(model, alone), benchStep(model, options)], options)
  return { one: median(one), all: median(all), speedup: ratioOf(one, all) }
}

export interface Cost {
  readonly msPerStep: number
  /** Bytes that building the step and running it once added to what the process holds. */
  readonly bytes: number
}

export interface TiedCost {
  readonly tied: Cost
  readonly untied: Cost
  /** The time of tied weights over that of untied ones. */
  readonly time: Ratio
}

/** L beside the same FLOPs with weights of their own for every layer, in turn. */
export async function compareUntied(choice: ExecutorChoice, options: ScalingOptions): Promise<TiedCost> {
  const build = async (plan: string) => {
    const before = process.memoryUsage.rss()
    const executor = chooseExecutor(choice) // its workers' memory is this model's alone
    const step = benchStep(transformerModel(plan, { ...namedSizes.L, plan }), { ...options, executor })
    await step.train()
    return { step, bytes: process.memoryUsage.rss() - before }
  }
  const [tied, untied] = [await build('1x8'), await build('8')]
  const [tiedMs, untiedMs] = await timeSteps([tied.step, untied.step], options)
  return {
    tied: { msPerStep: median(tiedMs), bytes: tied.bytes },
    untied: { msPerStep: median(untiedMs), bytes: untied.bytes },
    time: ratioOf(tiedMs, untiedMs),
  }
}

const benchStep = (model: NamedModel, { executor, seed }: ScalingOptions): BenchStep =>
  new BenchStep(model, drawStep(model, model.batch, seed), executor)

const timeSteps = (steps: readonly BenchStep[], { seconds }: ScalingOptions): Promise<number[][]> =>
  timeInTurn(
    steps.map((step) => clocked(() => step.train())),
    { least: 5, seconds: seconds * steps.length },
  )
