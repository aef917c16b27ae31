/**
 * `lathe bench`: what this machine does, as a share of what it can.
 * @module
 */
import { cpus } from 'node:os'
import { Command, Option } from 'commander'
import { disagreement } from '../bench/agreement.ts'
import { type Checked, checkGradients } from '../bench/check.ts'
import { matmulShapes, type StepTiming, timeMatmul, timeStep } from '../bench/measure.ts'
import { type NamedModel, pickModels } from '../bench/models.ts'
import { findPeers, type Peer, type PeerResult, peerBars, runPeers } from '../bench/peers.ts'
import { BenchStep, drawStep } from '../bench/step.ts'
import { chooseExecutor, type Executor, nativePeak, nativeVariants } from '../executor/index.ts'
import { formatPercent, formatRate } from '../report/format.ts'
import { LatheError } from '../settings/error.ts'
import { type CommonFlags, describeExecutor, wholeNumber, withCommonFlags } from './options.ts'
import { emit, printTable } from './output.ts'

interface BenchFlags extends CommonFlags {
  readonly models: string
  readonly seconds: number
  readonly check?: boolean
  readonly peers?: boolean
}

const examples = `
Examples:
  lathe bench
  lathe bench --models S,L,P --precision f32
  lathe bench --check --models Q,S
  LATHE_PEERS=../peers lathe bench --peers --models S,L
  LATHE_ISA=avx2 lathe bench --threads 1 --json

Models: Q the quickstart, S four layers, L one layer eight times, M six wider layers, P p-hop, A addition,
V a large vocabulary. A step is forward, backward, clipping and AdamW, on random data.
Peers are set up by scripts/peers/setup.sh; loss and gradients must agree before one is timed.`

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure this machine: ceilings, matrix products, training steps')
    .option('--models <list>', 'named models whose training step is measured', 'Q,S,L')
    .option('--seconds <n>', 'seconds of runs a model; its median counts', wholeNumber(1), 3)
    .option('--check', 'compare gradients with the reference executor; M and V take minutes')
    .addOption(new Option('--peers', 'time other libraries beside, from $LATHE_PEERS').conflicts('check'))
    .addHelpText('after', examples)
  return withCommonFlags(command).action((flags: BenchFlags) => (flags.check ? runCheck(flags) : runBench(flags)))
}

/** Progress, where nobody reads JSON. */
const say = ({ json }: BenchFlags, line: string): void => {
  if (!json) process.stderr.write(`${line}\n`)
}

async function runCheck(flags: BenchFlags): Promise<void> {
  const models = pickModels(flags.models)
  const executor = chooseExecutor(flags)
  const check: Record<string, Checked> = {}
  for (const model of models) {
    say(flags, `${model.name}: two sequences on ${describeExecutor(executor)} and on the reference`)
    check[model.name] = await checkGradients(model, executor, flags.seed)
  }
  if (flags.json) emit({ check })
  else printChecks(check)
  if (Object.values(check).some(({ ok }) => !ok)) process.exitCode = 1
}

type ModelTiming = StepTiming & { shareOfCeiling?: number; noisy: boolean; results?: Record<string, PeerResult> }

async function runBench(flags: BenchFlags): Promise<void> {
  const models = pickModels(flags.models)
  const executor = chooseExecutor(flags)
  const peers = flags.peers ? await findPeers(process.env.LATHE_PEERS) : undefined
  const cpu = cpus()[0]?.model.trim() ?? 'unknown'
  if (!flags.json) process.stdout.write(`${cpu}: ${describeExecutor(executor)}\n\n`)
  const ceilings = await measureCeilings(executor)
  if (!flags.json) printCeilings(ceilings)
  const ceiling = ceilings[executor.precision]
  const products = []
  for (const shape of matmulShapes) products.push({ shape: shape.join(' × '), rate: await timeMatmul(shape, executor) })
  if (!flags.json) printProducts(products, ceiling)
  const timings: Record<string, ModelTiming> = {}
  for (const model of models) {
    const timing = await timeModel(model, executor, flags, peers)
    const shareOfCeiling = ceiling && (1e12 * timing.teraflops) / ceiling
    timings[model.name] = { ...timing, shareOfCeiling, noisy: Math.abs(timing.drift) > 0.05 }
  }
  const { isa, precision, threads } = executor
  if (!flags.json) {
    printTimings(timings)
    if (peers) printPeers(timings, peers)
    return
  }
  const entries = Object.entries(timings).map(([name, { results, ...timing }]) => [
    name,
    { ...timing, ...(results && peersInJson(results)) },
  ])
  const machine = { cpu, executor: executor.name, isa, precision, threads }
  emit({ models: Object.fromEntries(entries), ceilings, products, ...machine })
}

/** Times a model's step; with peers they run between its two rounds, and each must agree with Lathe in f32. */
async function timeModel(
  model: NamedModel,
  executor: Executor,
  flags: BenchFlags,
  peers: readonly Peer[] | undefined,
): Promise<StepTiming & { results?: Record<string, PeerResult> }> {
  const draw = () => drawStep(model, model.batch, flags.seed ?? 0)
  const step = new BenchStep(model, draw(), executor)
  if (!peers) return timeStep(step, flags.seconds)
  const { threads, precision } = executor
  const data = draw() // steps change the weights of theirs
  const wanted = await new BenchStep(model, data, chooseExecutor({ ...flags, precision: 'f32' })).gradients()
  const off = disagreement(await step.gradients(), wanted)
  if (!(off <= peerBars[precision]))
    throw new LatheError(
      `${model.name}: ${describeExecutor(executor)} is ${formatPercent(off)} off f32: nothing to time`,
    )
  let results: Record<string, PeerResult> = {}
  const timing = await timeStep(step, flags.seconds, async () => {
    const one = { model, data, wanted, threads, seconds: flags.seconds }
    results = await runPeers(peers, one, (name) => say(flags, `${model.name}: ${name}`))
  })
  return { ...timing, results }
}

/** Medians of the peers that were timed, and why the others were not. */
function peersInJson(results: Readonly<Record<string, PeerResult>>): object {
  const entries = Object.entries(results)
  const timed = entries.flatMap(([name, result]) => ('ms' in result ? [[name, result.ms]] : []))
  const notTimed = entries.flatMap(([name, result]) => ('ms' in result ? [] : [[name, describePeer(result)]]))
  return { peers: Object.fromEntries(timed), notTimed: Object.fromEntries(notTimed) }
}

const formatMs = (ms: number): string => `${ms.toFixed(1)} ms`

function describePeer(result: PeerResult): string {
  if ('ms' in result) return formatMs(result.ms)
  return 'failed' in result ? `failed: ${result.failed}` : `disagrees: ${formatPercent(result.disagrees)}`
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

function printTimings(timings: Readonly<Record<string, ModelTiming>>): void {
  const rows = Object.entries(timings).map(([model, timing]) => ({ model, ...timing, rate: 1e12 * timing.teraflops }))
  printTable(
    [
      { key: 'model', title: 'training step' },
      { key: 'msPerStep', title: 'time', align: 'right', format: formatMs },
      { key: 'rate', title: 'rate', align: 'right', format: (rate: number) => formatRate(rate, 'FLOP') },
      { key: 'shareOfCeiling', title: 'of ceiling', align: 'right', format: formatPercent },
      { key: 'tokensPerSecond', title: 'tokens', align: 'right', format: (rate: number) => formatRate(rate, 'tokens') },
      { key: 'noisy', title: 'machine', format: (noisy: boolean) => (noisy ? 'noisy' : 'steady') },
    ],
    rows,
  )
}

/** A row a model, a column a peer, and how many times as long as Lathe the best one takes. Failures follow in full. */
function printPeers(timings: Readonly<Record<string, ModelTiming>>, peers: readonly Peer[]): void {
  const rows = Object.entries(timings).map(([model, { msPerStep, noisy, results = {} }]) => {
    const times = Object.values(results).flatMap((result) => ('ms' in result ? [result.ms] : []))
    const cells = Object.entries(results).map(([name, result]) => [
      name,
      'failed' in result ? 'failed' : describePeer(result),
    ])
    const best = times.length > 0 ? `${(Math.min(...times) / msPerStep).toFixed(2)}×` : undefined
    return { model: noisy ? `${model} (noisy)` : model, ours: formatMs(msPerStep), best, ...Object.fromEntries(cells) }
  })
  const columns = ['ours', ...peers.map(({ name }) => name), 'best']
  const titles: Record<string, string> = { ours: 'Lathe', best: 'best peer / Lathe' }
  process.stdout.write('\n')
  printTable<Record<string, string>>(
    [
      { key: 'model', title: 'beside peers' },
      ...columns.map((key) => ({ key, title: titles[key] ?? key, align: 'right' as const })),
    ],
    rows,
  )
  for (const [model, { results = {} }] of Object.entries(timings))
    for (const [name, result] of Object.entries(results))
      if ('failed' in result) process.stdout.write(`\n${model}: ${name} ${describePeer(result)}\n`)
}

function printChecks(check: Readonly<Record<string, Checked>>): void {
  const rows = Object.entries(check).map(([model, checked]) => ({ model, ...checked }))
  const error = (value: number) => value.toExponential(1)
  printTable(
    [
      { key: 'model', title: 'gradients' },
      { key: 'whole', title: 'whole', align: 'right', format: error },
      { key: 'bar', title: 'bar', align: 'right', format: error },
      { key: 'worstTensor', title: 'worst', align: 'right', format: error },
      { key: 'tensor', title: 'tensor' },
      { key: 'ok', title: '', format: (ok: boolean) => (ok ? 'ok' : 'too far') },
    ],
    rows,
  )
}
