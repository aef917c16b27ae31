/**
 * `lathe bench`: what this machine does, as a share of what it can.
 * @module
 */
import { cpus } from 'node:os'
import { Command } from 'commander'
import { matmulShapes, type StepTiming, timeMatmul, timeStep } from '../bench/measure.ts'
import { pickModels } from '../bench/models.ts'
import { chooseExecutor, type Executor, nativePeak, nativeVariants } from '../executor/index.ts'
import { formatPercent, formatRate } from '../report/format.ts'
import { type CommonFlags, describeExecutor, wholeNumber, withCommonFlags } from './options.ts'
import { emit, printTable } from './output.ts'

interface BenchFlags extends CommonFlags {
  readonly models: string
  readonly seconds: number
}

const examples = `
Examples:
  lathe bench
  lathe bench --models S,L,P --precision f32
  LATHE_ISA=avx2 lathe bench --threads 1 --json

Models: Q the quickstart, S four layers, L one layer eight times, M six wider layers, P p-hop, A addition,
V a large vocabulary. A step is forward, backward and the sum of the gradients, on random data.`

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure this machine: ceilings, matrix products, training steps')
    .option('--models <list>', 'named models whose training step is measured', 'Q,S,L')
    .option('--seconds <n>', 'seconds of runs a model; its median counts', wholeNumber(1), 3)
    .addHelpText('after', examples)
  return withCommonFlags(command).action(runBench)
}

async function runBench(flags: BenchFlags): Promise<void> {
  const models = pickModels(flags.models)
  const executor = chooseExecutor(flags)
  const cpu = cpus()[0]?.model.trim() ?? 'unknown'
  if (!flags.json) process.stdout.write(`${cpu}: ${describeExecutor(executor)}\n\n`)
  const ceilings = await measureCeilings(executor)
  if (!flags.json) printCeilings(ceilings)
  const ceiling = ceilings[executor.precision]
  const products = []
  for (const shape of matmulShapes) products.push({ shape: shape.join(' × '), rate: await timeMatmul(shape, executor) })
  if (!flags.json) printProducts(products, ceiling)
  const timings: Record<string, StepTiming & { shareOfCeiling?: number; noisy: boolean }> = {}
  for (const model of models) {
    const timing = await timeStep(model, executor, flags.seconds)
    const shareOfCeiling = ceiling && (1e12 * timing.teraflops) / ceiling
    timings[model.name] = { ...timing, shareOfCeiling, noisy: Math.abs(timing.drift) > 0.05 }
  }
  const { isa, precision, threads } = executor
  if (flags.json) emit({ models: timings, ceilings, products, cpu, executor: executor.name, isa, precision, threads })
  else printTimings(timings)
}

/** FLOP/s by precision; absent where the CPU has no instruction for it. */
type Ceilings = Partial<Record<'f32' | 'bf16', number>>

async function measureCeilings({ name, threads }: Executor): Promise<Ceilings> {
  if (name !== 'native') return {}
  return { f32: await nativePeak('f32', threads), bf16: await nativePeak('bf16', threads) }
}

function printCeilings(ceilings: Ceilings): void {
  const amx = nativeVariants().includes('amx')
  const say = (rate: number | undefined) =>
    rate === undefined ? 'not measured: no instruction for it here' : formatRate(rate, 'FLOP')
  process.stdout.write(`ceiling f32   ${say(ceilings.f32)}\nceiling bf16  ${say(ceilings.bf16)}\n`)
  process.stdout.write(`AMX           ${amx ? 'yes' : 'not measured: this CPU has none'}\n\n`)
}

function printProducts(products: readonly { shape: string; rate: number }[], ceiling: number | undefined): void {
  const rows = products.map(({ shape, rate }) => ({ shape, rate, share: ceiling && rate / ceiling }))
  printTable(
    [
      { key: 'shape', title: 'matrix product (rows × inner × columns)' },
      { key: 'rate', title: 'rate', align: 'right', format: (rate: number) => formatRate(rate, 'FLOP') },
      { key: 'share', title: 'of ceiling', align: 'right', format: formatPercent },
    ],
    rows,
  )
  process.stdout.write('\n')
}

function printTimings(
  timings: Readonly<Record<string, StepTiming & { shareOfCeiling?: number; noisy: boolean }>>,
): void {
  const rows = Object.entries(timings).map(([model, timing]) => ({ model, ...timing, rate: 1e12 * timing.teraflops }))
  printTable(
    [
      { key: 'model', title: 'training step' },
      { key: 'msPerStep', title: 'time', align: 'right', format: (ms: number) => `${ms.toFixed(1)} ms` },
      { key: 'rate', title: 'rate', align: 'right', format: (rate: number) => formatRate(rate, 'FLOP') },
      { key: 'shareOfCeiling', title: 'of ceiling', align: 'right', format: formatPercent },
      { key: 'tokensPerSecond', title: 'tokens', align: 'right', format: (rate: number) => formatRate(rate, 'tokens') },
      { key: 'noisy', title: 'machine', format: (noisy: boolean) => (noisy ? 'noisy' : 'steady') },
    ],
    rows,
  )
}
