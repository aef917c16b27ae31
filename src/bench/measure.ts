/**
 * Times on this machine: medians of several runs, on random data.
 */
import { lower, programFlops } from '../compile/index.ts'
import type { Executor } from '../executor/index.ts'
import { input, output, parameter, trace } from '../graph/index.ts'
import { matmul } from '../ops/index.ts'
import { RandomStream } from '../tensor/random.ts'
import type { BenchStep } from './step.ts'

/** How often to run what is timed: at least so many times, and for so many seconds. */
export interface Repeats {
  readonly least: number
  readonly seconds: number
}

/** Milliseconds of repeated runs, after one that is not counted. */
export async function timeRuns(run: () => Promise<unknown>, { least, seconds }: Repeats): Promise<number[]> {
  const timed = clocked(run)
  await run()
  const times: number[] = []
  const end = performance.now() + 1000 * seconds
  while (times.length < least || (performance.now() < end && times.length < 200)) times.push(await timed())
  return times
}

/** Something that is run to be timed, and says how many milliseconds it took. */
export type Timed = () => Promise<number>

export const clocked =
  (run: () => Promise<unknown>): Timed =>
  async () => {
    const start = performance.now()
    await run()
    return performance.now() - start
  }

/**
 * Milliseconds of each run, one number a round. A round gives all of them the same time, in which the short are repeated, and
 * every second one goes backwards: slow minutes of the machine meet all alike. Two runs of each come before and do not count.
 */
export async function timeInTurn(runs: readonly Timed[], { least, seconds }: Repeats): Promise<number[][]> {
  const first: number[] = []
  for (const run of runs) {
    await run()
    first.push(await run())
  }
  const longest = Math.max(...first)
  const turns = runs.map((run, i) => ({
    run,
    repeats: Math.max(1, Math.round(longest / first[i])),
    times: [] as number[],
  }))
  const end = performance.now() + 1000 * seconds
  for (let round = 0; round < least || performance.now() < end; round++)
    for (const { run, repeats, times } of round % 2 ? [...turns].reverse() : turns) {
      let sum = 0
      for (let left = repeats; left > 0; left--) sum += await run()
      times.push(sum / repeats)
    }
  return turns.map(({ times }) => times)
}

/** How many times as long one thing takes as another, from rounds of both. */
export interface Ratio {
  /** Median of the rounds' ratios. */
  readonly ratio: number
  /** That of the later rounds over that of the earlier, minus 1: how steady it was. */
  readonly drift: number
}

export function ratioOf(times: readonly number[], beside: readonly number[]): Ratio {
  const ratios = times.map((ms, round) => ms / beside[round])
  return { ratio: median(ratios), drift: driftOf(ratios) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Median of the second half of runs over that of the first, minus 1: how steady the machine was. */
export function driftOf(times: readonly number[]): number {
  const half = Math.ceil(times.length / 2)
  return median(times.slice(half)) / median(times.slice(0, half)) - 1
}

/** A drift beyond which a time should not be quoted. */
export const mostDrift = 0.05

export interface StepTiming {
  readonly msPerStep: number
  readonly teraflops: number
  readonly tokensPerSecond: number
  /** Median of the later half of runs over that of the earlier, minus 1: how steady the machine was. */
  readonly drift: number
}

/** Times whole training steps. */
export async function timeStep(step: BenchStep, seconds: number): Promise<StepTiming> {
  const times = await timeRuns(() => step.train(), { least: 6, seconds })
  const msPerStep = median(times)
  return {
    msPerStep,
    teraflops: step.flops / msPerStep / 1e9,
    tokensPerSecond: (1000 * step.tokens) / msPerStep,
    drift: driftOf(times),
  }
}

/** Shapes of matrix products that the named models are made of: rows, inner size, columns. */
export const matmulShapes: readonly (readonly [M: number, K: number, N: number])[] = [
  [32, 128, 512],
  [256, 256, 256],
  [256, 256, 1024],
  [256, 1024, 256],
  [256, 512, 2048],
]

/** FLOP/s of x W with a packed weight, one product a sequence, on all threads. */
export async function timeMatmul([M, K, N]: readonly [number, number, number], executor: Executor): Promise<number> {
  const program = lower(trace('matmul', () => output('y', matmul(input('x', [M, K]), parameter('w', [K, N])))))
  const executable = executor.compile(program)
  const count = Math.max(16, Math.ceil(2e9 / programFlops(program) / 16) * 16)
  const stream = new RandomStream(2, 'matmul')
  const x = new Float32Array(count * M * K).map((_, i) => ((i * 7919) % 1021) / 1021 - 0.5)
  const w = Float32Array.from({ length: K * N }, () => 0.1 * stream.normal())
  const y = new Float32Array(count * M * N)
  const run = { count, parameters: { w }, inputs: { x }, outputs: { y }, version: 1 }
  const times = await timeRuns(() => executable.run(run), { least: 5, seconds: 0.3 })
  return (1000 * count * programFlops(program)) / median(times)
}
