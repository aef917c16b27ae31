/**
 * `lathe reproduce TABLE`: makes a published table again, as far as it is not made yet.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Command, Option } from 'commander'
import type { Executor } from '../executor/index.ts'
import { ioReason, isGone, replaceFile } from '../files/durable-file.ts'
import { formatDuration, formatFlops, formatParameters } from '../report/format.ts'
import type { Column } from '../report/table.ts'
import { estimate } from '../reproduce/estimate.ts'
import {
  type Cell,
  type CellResult,
  caption,
  cellsOf,
  findings,
  findTable,
  fitFindings,
  htmlPage,
  isDone,
  levelSentences,
  markdownReport,
  type Provenance,
  reproduce,
  type Scale,
  type ScaleName,
  type Summary,
  scaleOf,
  summarize,
  sweepFindings,
  tableOf,
  tables,
} from '../reproduce/index.ts'
import { LatheError } from '../settings/error.ts'
import { machineOf } from '../train/index.ts'
import {
  type CommonFlags,
  describeExecutor,
  executorOf,
  flagSettings,
  givenFlags,
  quoted,
  settingsFlag,
  wholeNumber,
  withMachineFlags,
} from './options.ts'
import { emit, printTable, wrap } from './output.ts'
import { trainWithProgress } from './train.ts'

interface ReproduceFlags extends CommonFlags {
  readonly scale: ScaleName
  readonly seeds: number
  readonly out: string
  readonly set: string[]
  readonly dryRun?: boolean
}

const defaultOut = 'runs'

const examples = `
${wrap(`Tables: ${[...tables.keys()].join(', ')}`)}

Examples:
  lathe reproduce lt-table1-phop --dry-run
  lathe reproduce lt-table1-phop --seeds 3
  lathe reproduce lt-table1-phop --scale paper --dry-run

It can be stopped at any time with Ctrl-C; the same command goes on. What you
write in notes.md, beside the table's runs, ends its Markdown page.`

export function reproduceCommand(): Command {
  const command = new Command('reproduce')
    .description("make a published table again: trains every row, prints ours beside the paper's")
    .argument('<table>', 'name of the table')
    .addOption(new Option('--scale <name>', 'size of the trainings').choices(['laptop', 'paper']).default('laptop'))
    .option(
      '--seeds <n>',
      'seeds of every row, from 0; where a table says so, the first alone',
      wholeNumber(1, 1000),
      1,
    )
    .option('--out <folder>', 'where runs and report go', defaultOut)
    .addOption(settingsFlag('key=value', 'change a setting of every recipe; may be given often'))
    .option('--dry-run', 'print rows, parameters, FLOPs and expected time on this machine, and train nothing')
    .addHelpText('after', examples)
  return withMachineFlags(command).action(runReproduce)
}

async function runReproduce(name: string, flags: ReproduceFlags): Promise<void> {
  const table = findTable(name)
  const scale = scaleOf(table, flags.scale)
  const folder = join(flags.out, `${name}-${flags.scale}`)
  const cells = cellsOf(scale, { seeds: flags.seeds, folder, settings: [...flags.set, ...flagSettings(flags)] })
  const executor = executorOf(cells[0].recipe) // settings are the same in all
  if (!flags.json) process.stderr.write(`${table.source}, ${flags.scale} scale: ${describeExecutor(executor)}\n`)
  if (flags.dryRun) return dryRun(scale, cells, executor, flags)
  const results: CellResult[] = []
  // Between trainings, which save themselves: nothing is lost but the measurement under way.
  const stop = (): void => {
    process.stderr.write(`\n${stoppedNote(name, flags)}\n`)
    process.exit(130)
  }
  const train = async (run: Parameters<typeof trainWithProgress>[0], { path }: Cell) => {
    if (!flags.json) process.stderr.write(`${results.length + diverged.length + 1} of ${cells.length}  ${path}\n`)
    process.off('SIGINT', stop)
    const result = await trainWithProgress(run, flags).finally(() => process.on('SIGINT', stop))
    if (!flags.json && result.stopped !== 'interrupted') process.stderr.write('measuring it on held-out samples\n')
    return result
  }
  const diverged: Cell[] = []
  const onDiverged = (cell: Cell, { message }: Error) => {
    diverged.push(cell)
    process.stderr.write(`${cell.path}: ${message}\n`)
  }
  for await (const result of reproduce(scale, cells, { executor, machine: machineOf(executor), train, onDiverged })) {
    results.push(result)
  }
  process.off('SIGINT', stop)
  await finish(summarize(table, scale, results, { of: cells.length, diverged }), folder, flags)
}

async function finish(summary: Summary, folder: string, flags: ReproduceFlags) {
  const { done, of, diverged } = summary.trainings
  const isWhole = done === of
  if (done + diverged.length < of) {
    process.stderr.write(`${stoppedNote(summary.table.name, flags)}\n`)
    process.exitCode = 130
  } else if (!isWhole) {
    process.stderr.write(`${diverged.length} of ${of} trainings diverged, and would again; all others are done\n`)
    process.exitCode = 1
  }
  if (summary.rows.length === 0) return
  const command = commandOf(summary.table.name, flags)
  const notes = await notesIn(folder)
  const provenance: Provenance = { command, date: new Date().toISOString().slice(0, 10), changed: flags.set, notes }
  const report = `${folder}.html`
  await replaceFile(report, [Buffer.from(htmlPage(summary, provenance))])
  const { markdown, figures } = markdownReport(summary, provenance, basename(folder))
  for (const [file, svg] of Object.entries(figures)) await replaceFile(join(flags.out, file), [Buffer.from(svg)])
  await replaceFile(`${folder}.md`, [Buffer.from(markdown)])
  if (flags.json) return emit({ rows: summary.rows, levels: summary.levels, whole: isWhole, report })
  const { columns, rows } = tableOf(summary)
  process.stdout.write('\n')
  printTable(columns, rows)
  const sentences = [
    caption(summary),
    ...findings(summary),
    ...fitFindings(summary),
    ...levelSentences(summary),
    ...sweepFindings(summary),
  ]
  process.stdout.write(
    `\n${sentences.map((sentence) => wrap(sentence)).join('\n')}\n\nThe table: ${folder}.md; with all figures: ${report}\n`,
  )
}

function notesIn(folder: string): Promise<string | undefined> {
  return readFile(join(folder, 'notes.md'), 'utf8').catch((error) => {
    if (isGone(error)) return undefined
    throw new LatheError(`${join(folder, 'notes.md')}: cannot read it: ${ioReason(error)}`)
  })
}

/** What makes the same table again, in full: every flag that changes it or says where it is. */
function commandOf(table: string, { scale, seeds, out, set, executor, precision, threads }: ReproduceFlags): string {
  return [
    `lathe reproduce ${table} --scale ${scale} --seeds ${seeds}`,
    ...(out === defaultOut ? [] : [`--out ${quoted(out)}`]),
    ...givenFlags({ executor, precision, threads }),
    ...set.map((setting) => `--set ${quoted(setting)}`),
  ].join(' ')
}

const stoppedNote = (table: string, flags: ReproduceFlags): string =>
  `stopped; what is done is kept, and the same command goes on: ${commandOf(table, flags)}`

async function dryRun(scale: Scale, cells: readonly Cell[], executor: Executor, flags: ReproduceFlags): Promise<void> {
  const done = await Promise.all(cells.map((cell) => isDone(scale, cell)))
  const estimates = await estimate(cells, executor)
  const rows = estimates.map(
    ({ cell: { recipe }, parameters, trainingFlops, hours, dataSpeed }, i): DryRow => ({
      recipe: recipe.name,
      plan: recipe.model.plan,
      seed: recipe.seed,
      parameters,
      steps: recipe.steps,
      trainingFlops,
      hours,
      dataSpeed,
      done: done[i],
    }),
  )
  const hours = rows.reduce((sum, row) => sum + (row.done ? 0 : row.hours), 0)
  if (flags.json) return emit({ rows, hours })
  printTable(dryColumns, rows)
  const time = `About ${formatDuration(3600 * hours)} on this machine`
  const before = done.filter(Boolean).length
  const rest = before > 0 ? ` for what is not done yet (${before} of ${rows.length} are)` : ''
  const slowest = Math.min(...rows.map(({ dataSpeed }) => dataSpeed))
  process.stdout.write(
    `\n${wrap(`${time}${rest}, less where a solved row stops early; evaluations not counted.`)}\n` +
      `${wrap(`Data is drawn in a thread of its own, at least ${slowest.toFixed(1)} times as fast as a row trains.`)}\n`,
  )
}

interface DryRow {
  readonly recipe: string
  readonly plan: string
  readonly seed: number
  readonly parameters: number
  readonly steps: number
  readonly trainingFlops: number
  readonly hours: number
  readonly dataSpeed: number
  /** Whether its outcome is kept in `--out`. */
  readonly done: boolean
}

const dryColumns: Column<DryRow>[] = [
  { key: 'recipe', title: 'recipe' },
  { key: 'plan', title: 'plan' },
  { key: 'seed', title: 'seed', align: 'right' },
  { key: 'parameters', title: 'params', align: 'right', format: formatParameters },
  { key: 'trainingFlops', title: 'FLOPs', align: 'right', format: formatFlops },
  { key: 'hours', title: 'time', align: 'right', format: (hours) => formatDuration(3600 * hours) },
  { key: 'dataSpeed', title: 'data', align: 'right', format: (speed) => `${speed.toFixed(1)}×` },
]
