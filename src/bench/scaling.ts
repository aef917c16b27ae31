/**
 * How the time of a training step grows with loops, with threads, and without tied weights.
 */
import { chooseExecutor, type Executor, type ExecutorChoice } from '../executor/index.ts'
import { driftOf, median, timeRuns } from './measure.ts'
import { namedSizes, type Sizes, transformerModel } from './models.ts'
import type { NamedModel } from './named-model.ts'
import { BenchStep, drawStep } from './step.ts'

export interface ScalingOptions {
  readonly executor: Executor
  readonly seed: number
  /** Time of the runs of each step. */
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
    readonly drift: number
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
  const times: { x: number; y: number; drift: number }[] = []
  for (const loops of counts) {
    const model = transformerModel(`1x${loops}`, { ...sizes, plan: `1x${loops}` })
    const { msPerStep: y, drift } = await timeModelStep(model, options)
    times.push({ x: loops, y, drift })
  }
  const { intercept, slope, residuals } = fitAffine(times)
  const points = times.map(({ x, y, drift }, i) => ({ loops: x, msPerStep: y, residual: residuals[i], drift }))
  return { points, intercept, slope }
}

export interface ThreadScaling {
  /** Milliseconds of a step on one thread, and on all of the executor's. */
  readonly one: number
  readonly all: number
  readonly speedup: number
  /** The greater of the two in size. */
  readonly drift: number
}

/** The same step on one thread and on all of them. */
export async function scaleThreads(
  model: NamedModel,
  choice: ExecutorChoice,
  options: ScalingOptions,
): Promise<ThreadScaling> {
  const all = await timeModelStep(model, options)
  const executor = chooseExecutor({ ...choice, threads: 1 })
  const one = await timeModelStep(model, { ...options, executor })
  const drift = Math.max(Math.abs(one.drift), Math.abs(all.drift))
  return { one: one.msPerStep, all: all.msPerStep, speedup: one.msPerStep / all.msPerStep, drift }
}

export interface TiedCost {
  readonly msPerStep: number
  /** Bytes that building the step and running it once added to what the process holds. */
  readonly bytes: number
  readonly drift: number
}

/** L beside the same FLOPs with weights of their own for every layer. */
export async function compareUntied(
  choice: ExecutorChoice,
  options: ScalingOptions,
): Promise<{ readonly tied: TiedCost; readonly untied: TiedCost }> {
  const cost = (plan: string) =>
    timeModelStep(transformerModel(plan, { ...namedSizes.L, plan }), {
      ...options,
      executor: chooseExecutor(choice), // its workers' memory is this model's alone
    })
  return { tied: await cost('1x8'), untied: await cost('8') }
}

async function timeModelStep(model: NamedModel, { executor, seed, seconds }: ScalingOptions): Promise<TiedCost> {
  const before = process.memoryUsage.rss()
  const step = new BenchStep(model, drawStep(model, model.batch, seed), executor)
  await step.train()
  const bytes = process.memoryUsage.rss() - before
  const times = await timeRuns(() => step.train(), { least: 4, seconds })
  return { msPerStep: median(times), bytes, drift: driftOf(times) }
}
