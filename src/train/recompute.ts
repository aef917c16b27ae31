import { totalmem } from 'node:os'
import type { Executor } from '../executor/executor.ts'
import { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import { trainingPrograms } from '../model/programs.ts'
import { LoopPlan } from '../plan/index.ts'

/**
 * What training keeps of a loop's values for the way back (activation recomputation). `none`: nothing is computed again.
 * A number: that many loops at a time are, and the state before them is kept alone. `auto`: as few as memory allows.
 */
export type Recompute = 'auto' | 'none' | number

export interface RecomputeOptions {
  /** Default `auto`. */
  readonly recompute?: Recompute
  /** Bytes that the values of the sequences under way may take, over all threads. Default: `memoryBudget()`. */
  readonly budget?: number
  readonly groups?: number
  /** What `auto` came to, where it is not `none`, in words. */
  readonly onNote?: (note: string) => void
}

// Ours: the other half is for weights, moments, sums, data and other processes.
const share = 0.5

/** Half of the memory, in bytes, that this machine has or that its container allows. */
export function memoryBudget(): number {
  const allowed = process.constrainedMemory() // 0 or undefined where nothing constrains
  return share * Math.min(totalmem(), allowed > 0 ? allowed : Number.POSITIVE_INFINITY)
}

/**
 * The training step of sequences of `length` tokens, made ready. With `auto` the executor's own plan of its memory decides:
 * the loops are halved until what the threads need fits the budget. (The reference executor plans none: it keeps everything.)
 * Gradients are the same whatever is chosen, bit for bit.
 */
export function compileStep(
  executor: Executor,
  config: ModelConfig,
  length: number,
  { recompute = 'auto', budget = memoryBudget(), groups, onNote }: RecomputeOptions = {},
): StepRunner {
  const compile = (saveEvery?: number) =>
    new StepRunner(executor, trainingPrograms(config, length, { saveEvery }), { groups })
  if (recompute !== 'auto') return compile(recompute === 'none' ? undefined : recompute)

  const bytesOf = ({ main: { schedule } }: StepRunner) =>
    Math.min(executor.threads, schedule.groups) * schedule.arenaBytes
  const whole = compile()
  if (bytesOf(whole) <= budget) return whole
  const need = `sequences of ${length} tokens need ${size(bytesOf(whole))} on ${threads(executor)}, more than the ${size(budget)} there are for them`
  let least = { step: whole, every: 0 }
  for (const every of halves(LoopPlan.parse(config.plan))) {
    const step = compile(every)
    if (bytesOf(step) < bytesOf(least.step)) least = { step, every }
    if (bytesOf(step) <= budget) break
  }
  const { step, every } = least
  const fits = bytesOf(step) <= budget ? '' : ', which is still too much'
  const done = every
    ? `${every} ${every === 1 ? 'loop is' : 'loops are'} computed again at a time, with ${size(bytesOf(step))}${fits}`
    : 'and no loop to compute again'
  onNote?.(every ? `${need}: ${done}` : `${need}, ${done}`)
  return step
}

/** Half of the most loops of a plan, a quarter … 1. */
function halves({ segments }: LoopPlan): number[] {
  const all: number[] = []
  for (let every = Math.max(...segments.map(({ loops }) => loops)); every > 1; ) {
    every = Math.ceil(every / 2)
    all.push(every)
  }
  return all
}

const threads = (executor: Executor): string => `${executor.threads} ${executor.threads === 1 ? 'thread' : 'threads'}`

function size(bytes: number): string {
  const [unit, name] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB']
  return `${(bytes / unit).toFixed(1)} ${name}`
}
