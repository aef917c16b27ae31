/**
 * `lathe bench`: what this machine does, as a share of what it can.
 * @module
 */
import { cpus } from 'node:os'
import { Command, Option } from 'commander'
import { type Checked, checkGradients } from '../bench/check.ts'
import { pickModels } from '../bench/models.ts'
import { findPeers } from '../bench/peers.ts'
import { chooseExecutor } from '../executor/index.ts'
import { measureGrid } from './bench-grid.ts'
import { expectWritable, type Measured, printedText, writePage } from './bench-page.ts'
import { measureProfiles } from './bench-profile.ts'
import { measureScaling } from './bench-scaling.ts'
import { measureSteps, type StepsOptions } from './bench-steps.ts'
import { checksTable, formatError } from './bench-tables.ts'
import { type CommonFlags, describeExecutor, quoted, wholeNumber, withCommonFlags } from './options.ts'
import { emit, wrap } from './output.ts'

interface BenchFlags extends CommonFlags {
  readonly models: string
  readonly seconds: number
  readonly check?: boolean
  /** Libraries; `true` is all. */
  readonly peers?: true | readonly string[]
  readonly grid?: boolean
  readonly profile?: boolean
  readonly scaling?: boolean
  readonly out?: string
}

const examples = `
Examples:
  lathe bench
  lathe bench --models S,L,P --precision f32
  lathe bench --check --models Q,S
  lathe bench --grid --seconds 1 --out grid.md
  lathe bench --scaling --models S,L --seconds 1
  lathe bench --profile --models S,P
  LATHE_PEERS=../peers lathe bench --peers --models S --out bench.md
  LATHE_PEERS=../peers lathe bench --peers pytorch,jax --models L,M
  LATHE_PEERS=../peers lathe bench --check --peers pytorch-eager-bf16
  LATHE_ISA=avx2 lathe bench --threads 1 --json

${wrap(
  'Models: Q the quickstart, S four layers, L one layer eight times, M six wider layers, P p-hop, A addition, A-mixed the ' +
    'same on sums of 2 to 32 numbers, V a large vocabulary, N no transformer at all. A step is forward, backward, clipping ' +
    'and AdamW, on random data but for A-mixed.',
)}
${wrap(
  'Peers are set up by scripts/peers/setup.sh in $LATHE_PEERS; loss and gradients must agree before one is timed.',
)}`

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure this machine: ceilings, matrix products, training steps')
    .option('--models <list>', 'named models whose training step is measured', 'Q,S,L')
    .option('--seconds <n>', 'seconds of runs a model, or a point of a grid; medians count', wholeNumber(1), 3)
    .option('--check', 'compare gradients with the reference executor; M and V take minutes')
    .addOption(
      new Option(
        '--peers [list]',
        'other libraries beside, or some: pytorch, jax, jax-js, tfjs, or one way of theirs, pytorch-eager-f32',
      ).argParser((list) => list.split(',')),
    )
    .addOption(
      new Option('--grid', 'cost of a FLOP at many shapes around S and P; a cliff is 3 times its neighbour').conflicts([
        'check',
        'peers',
        'scaling',
      ]),
    )
    .addOption(
      new Option('--scaling', 'step time against loops and threads, tied and untied').conflicts(['check', 'peers']),
    )
    .addOption(
      new Option('--profile', 'which kernels a training step spends its time in').conflicts([
        'check',
        'peers',
        'grid',
        'scaling',
      ]),
    )
    .option('--out <file>', 'write a page of Markdown there, figures beside it')
    .addHelpText('after', examples)
  return withCommonFlags(command).action(runBench)
}

async function runBench(flags: BenchFlags): Promise<void> {
  const models = pickModels(flags.models)
  if (flags.out !== undefined) await expectWritable(flags.out)
  const executor = chooseExecutor(flags)
  const say = (line: string): void => {
    if (!flags.json) process.stderr.write(`${line}\n`)
  }
  const peers = flags.peers
    ? await findPeers(process.env.LATHE_PEERS, flags.peers === true ? undefined : flags.peers)
    : undefined
  const measured = await measure({ models, executor, peers, flags, say })
  const cpu = cpus()[0]?.model.trim() ?? 'unknown'
  const machine = `${cpu}: ${describeExecutor(executor)}`
  const { isa, precision, threads } = executor
  if (flags.json) emit({ ...measured.json, cpu, executor: executor.name, isa, precision, threads })
  else process.stdout.write(`${machine}\n\n${printedText(measured.blocks)}`)
  if (flags.out !== undefined) {
    const command = `lathe ${process.argv.slice(2).map(quoted).join(' ')}`
    const date = new Date().toISOString().slice(0, 10)
    await writePage(
      flags.out,
      measured,
      `Command: \`${command}\`, ${date}.\nMachine: ${machine}, Node ${process.version}.`,
    )
  }
  if (measured.failed) process.exitCode = 1
}

/** What the flags ask for. */
function measure(options: StepsOptions & { readonly flags: BenchFlags }): Promise<Measured> {
  const { models, executor, flags, say } = options
  const { seed = 0, seconds } = flags
  if (flags.check) return measureErrors(options, seed)
  if (flags.grid) return measureGrid({ executor, seed, seconds, say })
  if (flags.scaling) return measureScaling({ models, executor, seed, seconds, flags, say })
  if (flags.profile) return measureProfiles({ models, flags, say })
  return measureSteps(options)
}

/** Gradients of two sequences of each model, beside the reference executor's, and so those of peers. */
async function measureErrors({ models, executor, peers, say }: StepsOptions, seed: number): Promise<Measured> {
  const check: Record<string, Checked> = {}
  for (const model of models) {
    say(`${model.name}: two sequences on ${describeExecutor(executor)} and on the reference`)
    const checked = await checkGradients(model, executor, {
      peers,
      seed,
      progress: (peer) => say(`${model.name}: ${peer}`),
    })
    check[model.name] = checked
    say(`${model.name}: ${formatError(checked.whole)} off, ${checked.ok ? 'ok' : 'too far'}`)
  }
  const failed = Object.values(check).some(({ ok }) => !ok)
  return { title: 'Gradients beside the reference', json: { check }, blocks: checksTable(check, peers), failed }
}
