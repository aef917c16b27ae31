/**
 * The command line: one file a verb.
 * @module
 */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { Command, CommanderError } from 'commander'
import { LatheError } from '../settings/error.ts'
import { benchCommand } from './bench.ts'
import { evalCommand } from './eval.ts'
import { generateCommand } from './generate.ts'
import { reproduceCommand } from './reproduce.ts'
import { lsCommand, showCommand } from './show.ts'
import { theoryCommand } from './theory.ts'
import { trainCommand } from './train.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Every verb, as `lathe --help` lists them. */
export function program(): Command {
  const lathe = new Command('lathe')
    .description('a workbench for looped transformers: models that think by running the same layers again')
    .version(version)
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nEvery verb has --help with examples, and --json. Plans: 12, 1x12 (one layer, twelve times), 4,4x4,4.',
    )
  const verbs = [
    trainCommand(),
    evalCommand(),
    generateCommand(),
    reproduceCommand(),
    theoryCommand(),
    benchCommand(),
    showCommand(),
    lsCommand(),
  ]
  for (const verb of verbs) lathe.addCommand(verb)
  return lathe
}

/** Runs the command line with the arguments after its name. Returns the exit code: 0 only for success. */
export const main = (argv: readonly string[]): Promise<number> => runCommand(program(), argv)

/** Ends the process without a word, as SIGPIPE would, once nobody reads what it writes, as after `| head`. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(128 + constants.signals.SIGPIPE)
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
  else if (error instanceof CommanderError)
    process.stderr.write(
      `lathe: ${error.message
        .replace(/^error: /, '')
        .replace(/\n\(?/, ' (')
        .trim()}\n`,
    )
  else process.stderr.write(`lathe: this is a fault of Lathe's own\n${(error as Error)?.stack ?? error}\n`)
  return 1
}
