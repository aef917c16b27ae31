import type { Evaluation } from '../eval/index.ts'
import { type Run, readMetrics, readTiming } from './run-folder.ts'
import type { LogRecord } from './run-log.ts'

/** What `metrics.jsonl` says of an update, counted from 1; loss and norms are those that the update was made from. */
export interface StepRecord {
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  readonly learningRate: number
  /** Seen so far. */
  readonly tokens: number
  /** Per segment of the plan and loop. */
  readonly stateNorm: readonly (readonly number[])[]
  readonly updateNorm: readonly (readonly number[])[]
}

/** What `metrics.jsonl` says of an evaluation after `step` updates: one entry for every looping. */
export interface EvaluationRecord {
  readonly step: number
  readonly evaluations: readonly Evaluation[]
}

/** What `timing.jsonl` says. */
export interface TimingRecord {
  readonly step: number
  /** Since the run began, evaluations and all, over all its sessions. */
  readonly seconds: number
  /** Mean of the updates since the record before; absent where there were none. */
  readonly millisecondsPerStep?: number
  readonly tokensPerSecond?: number
  readonly flopsPerSecond?: number
  /** How long saves held training up since the record before; they are written while it goes on. Absent without one. */
  readonly savingMilliseconds?: number
}

/** A run so far, from its logs. */
export interface History {
  readonly steps: readonly StepRecord[]
  readonly evaluations: readonly EvaluationRecord[]
  readonly seconds: number
}

/** Reads a run's logs, also of one that is being written. */
export async function readHistory(run: Pick<Run, 'path'>): Promise<History> {
  const records = (await readMetrics(run)) as readonly unknown[] as readonly (StepRecord | EvaluationRecord)[]
  const timing = (await readTiming(run)) as readonly unknown[] as readonly TimingRecord[]
  return {
    steps: records.filter((record) => 'loss' in record),
    evaluations: records.filter((record) => 'evaluations' in record).map(fromLog),
    seconds: timing.at(-1)?.seconds ?? 0,
  }
}

/** An evaluation as a log line: a loss that is not finite, as more loops than trained can bring, is null there. */
export function toLog({ step, evaluations }: EvaluationRecord): LogRecord {
  return { step, evaluations: evaluations.map((e) => ({ ...e, loss: Number.isFinite(e.loss) ? e.loss : null })) }
}

const fromLog = ({ step, evaluations }: EvaluationRecord): EvaluationRecord => {
  return { step, evaluations: evaluations.map((e) => ({ ...e, loss: e.loss ?? Number.NaN })) }
}

/** The evaluation at the plan's own loops. */
export function evaluationOf(plan: string, { evaluations }: EvaluationRecord): Evaluation | undefined {
  return evaluations.find((evaluation) => evaluation.plan === plan)
}
