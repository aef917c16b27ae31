import type { Executor } from '../executor/executor.ts'
import type { Model } from '../model/model-folder.ts'
import { asPlanned, type Looping, LoopPlan } from '../plan/index.ts'
import type { Sample, Split, Task } from '../task/index.ts'
import { type Evaluation, Evaluator } from './evaluator.ts'

export interface EvaluationOptions {
  /** How many samples to draw. */
  readonly samples: number
  /** Default `validation`. */
  readonly split?: Split
  readonly seed: number
}

const samplesPerTurn = 64 // drawing more at once would hold the event loop

/** The first samples of a split. */
export async function drawSamples(
  task: Task,
  { samples, split = 'validation', seed }: EvaluationOptions,
): Promise<Sample[]> {
  const drawn: Sample[] = []
  while (drawn.length < samples) {
    const end = Math.min(samples, drawn.length + samplesPerTurn)
    while (drawn.length < end) drawn.push(task.sample({ seed, split, index: drawn.length }))
    await new Promise(setImmediate)
  }
  return drawn
}

/**
 * Evaluates a model on held-out samples of a task, as it was trained or looped otherwise.
 * Samples shorter than the task's length are padded, which changes nothing.
 */
export async function evaluate(
  model: Model,
  task: Task,
  executor: Executor,
  options: EvaluationOptions & { readonly loops?: Looping },
): Promise<Evaluation> {
  const { loops = asPlanned(LoopPlan.parse(model.config.plan)) } = options
  const [evaluation] = await loopSweep(model, task, executor, { ...options, loops: [loops] })
  return evaluation
}

/** Evaluates a model on the same held-out samples at several numbers of loops. */
export async function loopSweep(
  model: Model,
  task: Task,
  executor: Executor,
  options: EvaluationOptions & { readonly loops: readonly Looping[] },
): Promise<Evaluation[]> {
  return evaluateSamples(model, task, executor, await drawSamples(task, options), options.loops)
}

/** Evaluates a model on given samples, once for every looping. */
export async function evaluateSamples(
  { config, parameters }: Model,
  task: Task,
  executor: Executor,
  samples: readonly Sample[],
  loops: readonly Looping[],
): Promise<Evaluation[]> {
  const evaluations: Evaluation[] = []
  for (const looping of loops)
    evaluations.push(await new Evaluator(executor, config, task, looping).evaluate(parameters, samples))
  return evaluations
}
