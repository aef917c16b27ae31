/**
 * `lathe theory NAME`: builds a model by construction and checks it exactly.
 * @module
 */
import { Argument, Command } from 'commander'
import { chooseExecutor } from '../executor/index.ts'
import { parameterCount } from '../model/index.ts'
import { formatInteger, formatParameters, formatPercent } from '../report/format.ts'
import type { Column } from '../report/table.ts'
import { LatheError } from '../settings/error.ts'
import { readGroup } from '../task/group/definition.ts'
import {
  type Demonstration,
  demonstrateCot,
  demonstrateDepth,
  demonstrateDepthOf,
  demonstrateGroup,
  demonstrateHops,
  type Part,
  type Size,
  saveAsRun,
} from '../theory/index.ts'
import { type CommonFlags, describeExecutor, wholeNumber, withCommonFlags } from './options.ts'
import { emit, printTable, wrap } from './output.ts'

interface TheoryFlags extends CommonFlags {
  readonly group: string
  readonly n?: number
  readonly p: number
  readonly alphabet: number
  readonly models?: number
  readonly plan?: string
  readonly of?: string
  readonly lengths: number
  readonly instances?: number
  readonly loops?: number
  readonly save?: string
}

/** How many instances there are by default. */
const usualInstances = { group: 10_000, phop: 10_000, 'simulate-depth': 500, 'simulate-cot': 500 }

const usualModels = 22 // of simulate-depth

type Name = keyof typeof usualInstances
type Options = Parameters<typeof demonstrateGroup>[2]

/** Every construction by its name, with the flags that are its own. A new one is an entry, and a flag where it needs one. */
const constructions: Readonly<
  Record<Name, { flags: readonly string[]; show(flags: TheoryFlags, options: Options): Promise<Demonstration> }>
> = {
  group: {
    flags: ['group', 'n', 'loops'],
    show: async ({ group, n = 16 }, options) => demonstrateGroup(await readGroup(group), n, options),
  },
  phop: {
    flags: ['p', 'n', 'alphabet', 'loops'],
    show: ({ p, n = 64, alphabet }, options) => demonstrateHops({ p, n, alphabet }, options),
  },
  'simulate-depth': {
    flags: ['models', 'plan', 'of'],
    show({ models, plan, of, save }, options) {
      if (of !== undefined && (models ?? plan) !== undefined)
        throw new LatheError(
          'simulate-depth: --models and --plan are of random models, and --of names one: drop it or them',
        )
      if (of !== undefined) return demonstrateDepthOf(of, options)
      if (save === undefined) return demonstrateDepth({ models: models ?? usualModels, plan }, options)
      throw new LatheError(
        'simulate-depth: random weights solve nothing that a run could be of: add --of RUN to --save',
      )
    },
  },
  'simulate-cot': {
    flags: ['of', 'lengths'],
    show({ of, lengths }, options) {
      if (of !== undefined) return demonstrateCot(of, { ...options, lengths })
      throw new LatheError('simulate-cot: whose chain of thought? lathe train igsm-theory, then add --of RUN')
    },
  },
}

const examples = `
Examples:
  lathe theory group --group S4 --n 16
  lathe theory group --group mine.json --n 8    a table such as [[0,1],[1,0]]
  lathe theory phop --p 8 --n 64
  lathe theory phop --p 8 --n 64 --loops 4      one loop too few
  lathe theory phop --p 8 --n 64 --save runs/hops
  lathe eval runs/hops --loops 4,5
  lathe theory simulate-depth                   22 models of 1 to 8 layers
  lathe theory simulate-depth --plan 2x3 --models 3
  lathe train igsm-theory --run runs/chains
  lathe theory simulate-cot --of runs/chains
  lathe theory simulate-depth --of runs/chains --save runs/one-layer`

export function theoryCommand(): Command {
  const command = new Command('theory')
    .description('build a model by construction, from "Reasoning with Latent Thoughts", and check it exactly')
    .addArgument(new Argument('<name>', 'construction').choices(Object.keys(constructions)))
    .option('--group <name>', 'of group: S4, A5, Z12, D6, or the .json file of a table', 'S4')
    .option('--n <n>', 'of group: elements, default 16; of phop: letters, default 64', wholeNumber(2))
    .option('--p <p>', 'of phop: hops', wholeNumber(1), 8)
    .option('--alphabet <n>', 'of phop: letters to choose from', wholeNumber(2), 4)
    .option('--models <n>', `of simulate-depth: random models, default ${usualModels}`, wholeNumber(1))
    .option('--plan <plan>', 'of simulate-depth: plan of the random models; default of every kind in turn')
    .option('--of <run>', 'of simulate-depth and simulate-cot: a run of ReLU and no norm, on held-out samples')
    .option('--lengths <n>', 'of simulate-cot: so many of the commonest lengths of a prompt', wholeNumber(1), 3)
    .option(
      '--instances <n>',
      'random instances, or all where there are fewer; default 10000, of simulate-… 500 (a model, or drawn)',
      wholeNumber(1),
    )
    .option('--loops <n>', "of group and phop: loops to run; default the theorem's", wholeNumber(1))
    .option('--save <folder>', 'write it as a run, for lathe eval, generate and show')
    .addHelpText('after', `${examples}\n\nPrecision is f32 unless --precision says otherwise.`)
  return withCommonFlags(command).action((name: Name, flags: TheoryFlags) => runTheory(name, flags, command))
}

async function runTheory(name: Name, flags: TheoryFlags, command: Command): Promise<void> {
  refuseOthers(name, command)
  const { instances = usualInstances[name], loops, seed = 0, save } = flags
  const executor = chooseExecutor({ ...flags, precision: flags.precision ?? 'f32' })
  const shown = await constructions[name].show(flags, { executor, instances, loops, seed })
  const { title, model, task } = shown
  // fewer loops than the theorem's are asked for to see them fail
  if (shown.exact < shown.instances && loops === undefined) process.exitCode = 1
  if (flags.json) emit(result(name, shown))
  else print(shown, describeExecutor(executor))
  if (save !== undefined && task !== undefined)
    await saveAsRun(save, { name: `theory-${name}`, title, model, task }, executor)
}

/** Throws a LatheError for a flag that is of other constructions. */
function refuseOthers(name: Name, command: Command): void {
  const own = constructions[name].flags
  const all = Object.values(constructions).flatMap(({ flags }) => flags)
  const other = all.find((flag) => !own.includes(flag) && command.getOptionValueSource(flag) === 'cli')
  if (other === undefined) return
  throw new LatheError(`--${other} is not of ${name}: it takes ${own.map((flag) => `--${flag}`).join(', ')}`)
}

function result(name: Name, { model, instances, exact, loops, sizes, measured, parts }: Demonstration) {
  const several = parts.length > 0 ? { parts } : {}
  return { construction: name, plan: model.config.plan, instances, exact, loops, sizes, ...measured, ...several }
}

function print({ title, model, instances, exact, ...shown }: Demonstration, executor: string): void {
  const parameters = formatParameters(parameterCount(model.parameters))
  process.stdout.write(`${title}\nplan ${model.config.plan}, ${parameters} parameters; ${executor}\n\n`)
  printTable(
    sizeColumns,
    Object.entries(shown.sizes).map(([size, values]) => ({ size, ...values })),
  )
  process.stdout.write('\n')
  if (shown.parts.length > 0) {
    printTable(
      partColumns.filter(({ key }) => shown.parts.some((part) => part[key] !== undefined)),
      shown.parts,
    )
    process.stdout.write('\n')
  }
  const found =
    `${shown.parts.length > 1 ? 'up to ' : ''}${shown.loops} loops: ${formatInteger(exact)} of ${formatInteger(instances)} instances exact ` +
    `(${formatPercent(exact / instances)})`
  process.stdout.write(`${wrap([found, ...shown.notes].join('; '))}\n\n${shown.picture}\n`)
}

const sizeColumns = [
  { key: 'size', title: 'size' },
  { key: 'published', title: 'published', align: 'right' },
  { key: 'built', title: 'built', align: 'right' },
] satisfies readonly Column<Size & { size: string }>[]

const tiny = (x: number) => x.toExponential(1)

const partColumns: readonly Column<Part>[] = [
  { key: 'name', title: 'model' },
  { key: 'plan', title: 'plan' },
  { key: 'loops', title: 'loops', align: 'right' },
  { key: 'instances', title: 'instances', align: 'right', format: formatInteger },
  { key: 'exact', title: 'exact', align: 'right', format: formatInteger },
  { key: 'exactOneShort', title: 'one short', align: 'right', format: formatInteger },
  { key: 'right', title: 'answers right', align: 'right', format: formatInteger },
  { key: 'largestDifference', title: 'logits differ', align: 'right', format: tiny },
  { key: 'smallestLogitGap', title: 'logit gap', align: 'right', format: tiny },
]
