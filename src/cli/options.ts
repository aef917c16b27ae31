import { type Command, InvalidArgumentError, Option } from 'commander'
import { chooseExecutor, type Executor } from '../executor/index.ts'
import type { Recipe } from '../recipes/index.ts'

/** The flags that every verb that computes takes. */
export interface CommonFlags {
  readonly seed?: number
  readonly threads?: number
  readonly precision?: 'auto' | 'bf16' | 'f32'
  readonly executor?: 'auto' | 'native' | 'reference'
  readonly json?: boolean
}

/** A flag's whole number of at least `least`. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const n = Number(text)
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `from ${least} on`
    if (!/^\d+$/.test(text) || n < least || n > most) throw new InvalidArgumentError(`write a whole number ${range}`)
    return n
  }

/** `--set`, which may be given often. */
export const settingsFlag = (syntax: string, description: string): Option =>
  new Option(`--set <${syntax}>`, description)
    .default([], 'none')
    .argParser((one: string, all: string[]) => [...all, one])

export const jsonFlag = (): Option => new Option('--json', 'print one JSON object a line, the last one the result')

/** Adds the common flags, described once. */
export function withCommonFlags(command: Command): Command {
  const seed = new Option('--seed <n>', 'seed of data and, in training, of initial weights').argParser(wholeNumber(0))
  return withMachineFlags(command.addOption(seed))
}

/** The common flags of a verb that chooses its seeds by itself. */
export function withMachineFlags(command: Command): Command {
  return command
    .addOption(new Option('--threads <n>', 'worker threads; default one a core').argParser(wholeNumber(1)))
    .addOption(new Option('--precision <name>', 'operands of matrix products').choices(['auto', 'bf16', 'f32']))
    .addOption(new Option('--executor <name>', 'what computes').choices(['auto', 'native', 'reference']))
    .addOption(jsonFlag())
}

/** A recipe's settings as the flags change them, for `applySettings`. */
export function flagSettings({ seed, threads, precision, executor }: CommonFlags): string[] {
  return Object.entries({ seed, threads, precision, executor }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${value}`],
  )
}

/** The executor of a recipe, or of a run with other flags. */
export function executorOf(
  recipe: Pick<Recipe, 'executor' | 'precision' | 'threads'>,
  flags: CommonFlags = {},
): Executor {
  return chooseExecutor({
    executor: flags.executor ?? recipe.executor,
    precision: flags.precision ?? recipe.precision,
    threads: flags.threads ?? recipe.threads,
  })
}

/** `native avx512, f32, 2 threads`. */
export const describeExecutor = ({ name, isa, precision, threads }: Executor): string =>
  `${name} ${isa}, ${precision}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`

/** A word of a command line, as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w./=,:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** Flags as they were given, for a command that does the same again. */
export const givenFlags = (flags: Readonly<Record<string, string | number | undefined>>): string[] =>
  Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(String(value))}`]))
