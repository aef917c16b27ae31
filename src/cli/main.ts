/**
 * The command line: one file a verb.
 * @module
 */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { Command, CommanderError } from 'commander'
import { ioReason } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Each verb loads what it needs only when it is called, or listed. */
const verbs: Readonly<Record<string, () => Promise<Command>>> = {
  train: async () => (await import('./train.ts')).trainCommand(),
  eval: async () => (await import('./eval.ts')).evalCommand(),
  generate: async () => (await import('./generate.ts')).generateCommand(),
  reproduce: async () => (await import('./reproduce.ts')).reproduceCommand(),
  theory: async () => (await import('./theory.ts')).theoryCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(),
  show: async () => (await import('./show.ts')).showCommand(),
  ls: async () => (await import('./show.ts')).lsCommand(),
}

/** The command line with every verb, as `lathe --help` lists them, or with `only` that one. */
export async function program(only?: string): Promise<Command> {
  const lathe = new Command('lathe')
    .description('a workbench for looped transformers: models that think by running the same layers again')
    .version(version)
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nEvery verb has --help with examples, and --json.\nPlans: 12, 1x12 (one layer, twelve times), 4,4x4,4.',
    )
  const wanted = only !== undefined && Object.hasOwn(verbs, only) ? [verbs[only]] : Object.values(verbs)
  for (const verb of wanted) lathe.addCommand(await verb())
  return lathe
}

/** Runs the command line with the arguments after its name. Returns the exit code: 0 only for success. */
export const main = async (argv: readonly string[]): Promise<number> => runCommand(await program(argv[0]), argv)

/**
 * Ends the process when nothing takes what it writes: without a word, as SIGPIPE would, once nobody reads it, as after
 * `| head`, and with one line where it cannot be written, as on a full disk.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE)
      if (stream === process.stdout) process.stderr.write(`lathe: cannot write the output: ${ioReason(error)}\n`)
      process.exit(1)
    })
}

/** Runs a command; what goes wrong is told on stderr, in one line where a user can mend it. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<number> {
  for (const one of [command, ...command.commands]) one.exitOverride().configureOutput({ outputError: () => {} })
  try {
    await command.parseAsync([...argv], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error)
  }
}

/** One line for what a user can mend; a stack for what only we can. */
function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0
  if (error instanceof LatheError) process.stderr.write(`lathe: ${error.message}\n`)
  else if (error instanceof CommanderError && error.code === 'commander.help') return 1
  else if (error instanceof CommanderError) process.stderr.write(`lathe: ${commandError(error)}\n`)
  else process.stderr.write(`lathe: this is a fault of Lathe's own\n${(error as Error)?.stack ?? error}\n`)
  return 1
}

function commandError({ code, message }: CommanderError): string {
  const line = message
    .replace(/^error: /, '')
    .replace(/\n\(?/, ' (')
    .trim()
  const isUnknownVerb = code === 'commander.unknownCommand' && !line.includes('Did you mean')
  return isUnknownVerb ? `${line}: there are ${Object.keys(verbs).join(', ')}` : line
}
