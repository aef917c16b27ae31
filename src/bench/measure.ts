/**
 * Times on this machine: medians of several runs, on random data.
 */
import { lower, programFlops } from '../compile/index.ts'
import type { Executor, Numbers } from '../executor/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { input, output, parameter, trace } from '../graph/index.ts'
import { trainingPrograms } from '../model/programs.ts'
import { matmul } from '../ops/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { sizeOf, type TensorType } from '../tensor/type.ts'
import type { NamedModel } from './models.ts'

/** Milliseconds of repeated runs, after one that is not counted. */
async function timeRuns(run: () => Promise<unknown>, options: { least: number; seconds: number }): Promise<number[]> {
  await run()
  const times: number[] = []
  const end = performance.now() + 1000 * options.seconds
  while (times.length < options.least || (performance.now() < end && times.length < 200)) {
    const start = performance.now()
    await run()
    times.push(performance.now() - start)
  }
  return times
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

const random = (stream: RandomStream, type: TensorType, copies = 1): Numbers => {
  const n = copies * sizeOf(type.shape)
  return Float32Array.from({ length: n }, () => 0.1 * stream.normal())
}

export interface StepTiming {
  readonly msPerStep: number
  /** Of matrix products, forward once and backward twice. */
  readonly teraflops: number
  readonly tokensPerSecond: number
  /** Median of the second half of the runs over that of the first, minus 1: how steady the machine was. */
  readonly drift: number
}

/** One training step: forward, backward, and gradients summed (no optimizer). */
export async function timeStep(model: NamedModel, executor: Executor, seconds: number): Promise<StepTiming> {
  const { config, length, batch } = model
  const programs = trainingPrograms(config, length)
  const step = new StepRunner(executor, programs)
  const stream = new RandomStream(1, 'bench', model.name)
  const ids = () => Int32Array.from({ length: batch * length }, () => stream.integer(config.vocabulary))
  const parameters = Object.fromEntries(
    programs.main.parameters.map((p) => [p.name, random(stream, p) as Float32Array]),
  )
  const sums = Object.fromEntries(programs.main.sums.map((s) => [s.name, new Float32Array(sizeOf(s.shape))]))
  const lossWeights = new Float32Array(batch * length).fill(1 / (batch * length))
  const inputs = { tokens: ids(), targets: ids(), lossWeights }
  let version = 0
  const times = await timeRuns(
    async () => {
      await step.run({ count: batch, parameters, inputs, version: version++ })
      await step.reduce(sums, parameters)
    },
    { least: 6, seconds },
  )
  const half = Math.floor(times.length / 2)
  const msPerStep = median(times)
  const flops = batch * programFlops(programs.main)
  return {
    msPerStep,
    teraflops: flops / msPerStep / 1e9,
    tokensPerSecond: (1000 * batch * length) / msPerStep,
    drift: median(times.slice(half)) / median(times.slice(0, half)) - 1,
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
  const w = random(stream, program.parameters[0])
  const y = new Float32Array(count * M * N)
  const run = { count, parameters: { w }, inputs: { x }, outputs: { y }, version: 1 }
  const times = await timeRuns(() => executable.run(run), { least: 5, seconds: 0.3 })
  return (1000 * count * programFlops(program)) / median(times)
}
