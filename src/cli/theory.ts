/**
 * `lathe theory NAME`: builds a model by construction and checks it exactly.
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { Argument, Command } from 'commander'
import { chooseExecutor, type Executor } from '../executor/index.ts'
import { type Model, parameterCount, saveModel } from '../model/index.ts'
import { formatInteger, formatParameters, formatPercent } from '../report/format.ts'
import type { Column } from '../report/table.ts'
import { LatheError } from '../settings/error.ts'
import {
  type Check,
  checkConstruction,
  groupComposition,
  groupPicture,
  hopPicture,
  pHop,
  readGroup,
  type Size,
} from '../theory/index.ts'
import { type CommonFlags, describeExecutor, wholeNumber, withCommonFlags } from './options.ts'
import { emit, printTable } from './output.ts'

interface TheoryFlags extends CommonFlags {
  readonly group: string
  readonly n?: number
  readonly p: number
  readonly alphabet: number
  readonly instances: number
  readonly loops?: number
  readonly save?: string
}

/** What a construction is asked to check with. */
interface CheckOptions {
  readonly executor: Executor
  readonly instances: number
  readonly seed: number
  readonly loops?: number
}

/** A construction that was built and checked. */
interface Checked {
  readonly title: string
  readonly model: Model
  readonly check: Check
  /** What each loop does, in text. */
  readonly picture: string
}

/** Every construction by its name. A new one is an entry, and a flag where it needs one. */
const constructions: Readonly<Record<string, (flags: TheoryFlags, options: CheckOptions) => Promise<Checked>>> = {
  async group({ group: name, n = 16 }, options) {
    const group = await readGroup(name)
    const construction = groupComposition(group, n)
    return {
      title: `${n} elements of ${group.name} composed (Theorem 5.1)`,
      model: construction.model,
      check: await checkConstruction(construction, options),
      picture: await groupPicture(construction, options),
    }
  },
  async phop({ p, n = 64, alphabet }, options) {
    const settings = { p, n, alphabet }
    const construction = pHop(settings)
    return {
      title: `${p}-hop over ${n} letters of an alphabet of ${alphabet} (Corollary 5.3)`,
      model: construction.model,
      check: await checkConstruction(construction, options),
      picture: await hopPicture(settings, construction, options),
    }
  },
}

const examples = `
Examples:
  lathe theory group --group S4 --n 16
  lathe theory group --group mine.json --n 8    a table such as [[0,1],[1,0]]
  lathe theory phop --p 8 --n 64
  lathe theory phop --p 8 --n 64 --loops 4      one loop too few
  lathe theory phop --precision bf16 --n 256 --alphabet 2`

export function theoryCommand(): Command {
  const command = new Command('theory')
    .description('build a model by construction, from "Reasoning with Latent Thoughts", and check it exactly')
    .addArgument(new Argument('<name>', 'construction').choices(Object.keys(constructions)))
    .option('--group <name>', 'of group: S4, A5, Z12, D6, or the .json file of a table', 'S4')
    .option('--n <n>', 'of group: elements, default 16; of phop: letters, default 64', wholeNumber(2))
    .option('--p <p>', 'of phop: hops', wholeNumber(1), 8)
    .option('--alphabet <n>', 'of phop: letters to choose from', wholeNumber(2), 4)
    .option('--instances <n>', 'random instances, or all where there are fewer', wholeNumber(1), 10_000)
    .option('--loops <n>', "loops to run; default the theorem's", wholeNumber(1))
    .option('--save <folder>', 'write config.json and model.safetensors there')
    .addHelpText('after', `${examples}\n\nPrecision is f32 unless --precision says otherwise.`)
  return withCommonFlags(command).action(runTheory)
}

async function runTheory(name: string, flags: TheoryFlags): Promise<void> {
  const { instances, loops, seed = 0, save } = flags
  const executor = chooseExecutor({ ...flags, precision: flags.precision ?? 'f32' })
  const { title, model, check, picture } = await constructions[name](flags, { executor, instances, loops, seed })
  if (save !== undefined) await saveTo(save, model)
  // fewer loops than the theorem's are asked for to see them fail
  if (check.exact < check.instances && loops === undefined) process.exitCode = 1
  if (flags.json) return emit({ construction: name, plan: model.config.plan, ...check })
  const parameters = formatParameters(parameterCount(model.parameters))
  process.stdout.write(
    `${title}\nplan ${model.config.plan}, ${parameters} parameters; ${describeExecutor(executor)}\n\n`,
  )
  printTable(
    columns,
    Object.entries(check.sizes).map(([size, values]) => ({ size, ...values })),
  )
  const { exact, smallestGap } = check
  process.stdout.write(
    `\n${check.loops} loops: ${formatInteger(exact)} of ${formatInteger(check.instances)} instances exact ` +
      `(${formatPercent(exact / check.instances)}); smallest gap of a softmax ${smallestGap.toFixed(1)} nats\n\n` +
      `${picture}\n`,
  )
}

const columns: readonly Column<Size & { size: string }>[] = [
  { key: 'size', title: 'size' },
  { key: 'published', title: 'published', align: 'right' },
  { key: 'built', title: 'built', align: 'right' },
]

async function saveTo(folder: string, model: Model): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new LatheError(`${folder}: cannot make the folder: ${error.message}`)
  })
  await saveModel(folder, model)
}
