import type { Executor, KernelTime } from '../executor/index.ts'
import { LatheError } from '../settings/error.ts'
import type { NamedModel } from './named-model.ts'
import { BenchStep, drawStep } from './step.ts'

/** What kernels of one kind, on one shape, take of a training step. */
export interface ProfileRow {
  readonly kernel: string
  readonly detail: string
  /** Milliseconds of a step, each thread having its share. */
  readonly ms: number
  /** Fraction of the step. */
  readonly share: number
  /** FLOP/s of all threads; absent where it is no product alone. */
  readonly rate?: number
}

export interface Profile {
  readonly msPerStep: number
  /** The longest first. */
  readonly rows: readonly ProfileRow[]
  /** Fraction of the step outside kernels: packed weights, sums of groups, waiting. */
  readonly elsewhere: number
}

/**
 * Where the time of a model's whole training step goes. The clock is read around every kernel, so short ones look longer.
 * Throws a LatheError for an executor that is not timed.
 */
export async function profileStep(
  model: NamedModel,
  executor: Executor,
  { seed, seconds }: { readonly seed: number; readonly seconds: number },
): Promise<Profile> {
  const { spent, threads } = executor
  if (!spent) throw new LatheError('the executor keeps no times: choose it with timed')
  const step = new BenchStep(model, drawStep(model, model.batch, seed), executor)
  await step.train() // memory is touched for the first time
  const before = spent()
  const start = performance.now()
  let steps = 0
  do {
    await step.train()
    steps++
  } while (performance.now() < start + 1000 * seconds)
  const msPerStep = (performance.now() - start) / steps
  const since = spent().map((time, i): KernelTime => {
    const from = before[i] ?? { seconds: 0, flops: 0 }
    return { ...time, seconds: time.seconds - from.seconds, flops: time.flops - from.flops }
  })
  const rows = byKind(since).map(({ seconds, flops, ...kind }): ProfileRow => {
    const ms = (1000 * seconds) / threads / steps
    return { ...kind, ms, share: ms / msPerStep, ...(flops > 0 && { rate: (flops / seconds) * threads }) }
  })
  return { msPerStep, rows, elsewhere: 1 - rows.reduce((sum, { share }) => sum + share, 0) }
}

function byKind(times: readonly KernelTime[]): KernelTime[] {
  const kinds = new Map<string, KernelTime>()
  for (const time of times) {
    if (time.seconds === 0) continue
    const key = `${time.kernel} ${time.detail}`
    const { seconds = 0, flops = 0 } = kinds.get(key) ?? {}
    kinds.set(key, { ...time, seconds: seconds + time.seconds, flops: flops + time.flops })
  }
  return [...kinds.values()].sort((a, b) => b.seconds - a.seconds)
}
