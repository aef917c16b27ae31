/**
 * What a trained row came to, kept in `outcome.json` of its run so that nothing is measured twice.
 */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { drawSamples, type Evaluation, evaluateSamples, evaluateWritten, isWritten, loopSweep } from '../eval/index.ts'
import type { Executor } from '../executor/index.ts'
import { isGone, replaceFile } from '../files/durable-file.ts'
import { readJsonFile } from '../files/json-file.ts'
import type { Model } from '../model/model-folder.ts'
import { parameterCount } from '../model/parameters.ts'
import { asPlanned, LoopPlan, loopedAt } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask, type Sample, type Task } from '../task/index.ts'
import { openModel, type Run } from '../train/index.ts'
import type { Column, Scale } from './table.ts'

/** One row's model of one seed, measured. */
export interface Outcome {
  readonly step: number
  readonly parameters: number
  readonly trainingFlops: number
  /** By the column's title, at the trained loops. */
  readonly cells: Readonly<Record<string, { readonly accuracy: number; readonly samples: number }>>
  /** Of a looped plan on what it was trained on: at 1 … 4 L loops. */
  readonly sweep: readonly Evaluation[]
}

interface Stored {
  /** What was measured: other columns or another number of samples are measured anew. */
  readonly of: unknown
  readonly outcome: Outcome
}

/** Held-out samples of a sweep: ours; it goes to 4 L loops, so it has fewer than a cell. */
export const sweepSamples = 512

/** What was measured of a finished run before; undefined where these columns were not. */
export async function storedOutcome(
  path: string,
  scale: Scale,
  columns: readonly Column[],
): Promise<Outcome | undefined> {
  const stored = await readJsonFile(join(path, 'outcome.json')).catch((error: LatheError) => {
    if (isGone(error.cause)) return undefined
    throw error
  })
  if (stored === undefined) return undefined
  const { of, outcome } = stored as Stored
  if (!isDeepStrictEqual(of, measuredOf(scale, columns))) return undefined
  return { ...outcome, sweep: outcome.sweep.map((e) => ({ ...e, loss: e.loss ?? Number.NaN })) }
}

const measuredOf = ({ samples }: Scale, columns: readonly Column[]) => ({
  columns: columns.map(({ title, task, written }) => ({ title, task: task ?? null, written: written ?? false })),
  samples,
})

/** Measures a finished run on the columns of its model, sweeps its loops, and keeps what was found. */
export async function outcomeOf(
  run: Run,
  scale: Scale,
  columns: readonly Column[],
  executor: Executor,
): Promise<Outcome> {
  const { model, task, step, state } = await openModel(run.path)
  const { seed } = run.recipe
  const cells: Record<string, Outcome['cells'][string]> = {}
  const options = { split: 'test', seed } as const
  const plan = LoopPlan.parse(model.config.plan)
  for (const { title, task: other, written } of columns) {
    const measured = other ? createTask(other) : task
    const samples = await drawSamples(measured, { ...options, samples: scale.samples })
    cells[title] = { accuracy: await accuracyOf(model, measured, samples, executor, written), samples: samples.length }
  }
  const loops = plan.isLooped ? loopedAt(plan, sweepCounts(asPlanned(plan).loops)) : []
  const sweep = await loopSweep(model, task, executor, { ...options, samples: sweepSamples, loops })
  const parameters = parameterCount(model.parameters)
  const outcome = { step, parameters, trainingFlops: state.flops, cells, sweep: sweep.map(finite) }
  const stored: Stored = { of: measuredOf(scale, columns), outcome }
  await replaceFile(join(run.path, 'outcome.json'), [Buffer.from(`${JSON.stringify(stored, null, 2)}\n`)])
  return outcome
}

async function accuracyOf(model: Model, task: Task, samples: readonly Sample[], executor: Executor, written = false) {
  if (!written) {
    const [{ accuracy }] = await evaluateSamples(model, task, executor, samples, [
      asPlanned(LoopPlan.parse(model.config.plan)),
    ])
    return accuracy
  }
  if (!isWritten(task)) throw new LatheError(`task ${task.name} has no written answers`)
  return (await evaluateWritten(model, task, executor, samples)).answerAccuracy
}

/** Every count to 2 L, then every second to 4 L. */
export const sweepCounts = (trained: number): number[] =>
  Array.from({ length: 4 * trained }, (_, i) => i + 1).filter((loops) => loops <= 2 * trained || loops % 2 === 0)

// JSON has neither infinity nor NaN, which it makes null; more loops than trained can bring both.
const finite = (e: Evaluation): Evaluation => (Number.isFinite(e.loss) ? e : { ...e, loss: Number.NaN })
