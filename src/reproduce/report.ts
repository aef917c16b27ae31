/**
 * A reproduced table as Markdown and as one HTML page: ours beside the paper's, figures, what more loops do.
 */
import { asPlanned, LoopPlan } from '../plan/index.ts'
import {
  type Column,
  formatFlops,
  formatInteger,
  formatLoss,
  formatParameters,
  formatPercent,
  htmlReport,
  htmlTable,
  loopSweepFigure,
  markdownTable,
} from '../report/index.ts'
import { depthFigure } from './depth-figure.ts'
import { sweepSamples } from './outcome.ts'
import { findings, fitFindings, sweepFindings } from './sentences.ts'
import type { Measured, MeasuredCells, Summary, SummaryRow } from './summary.ts'
import type { PublishedTable, Scale } from './table.ts'

/** What a table was made with, for its foot. */
export interface Provenance {
  readonly command: string
  /** What was set otherwise than the scale's notes say, as `key=value`. */
  readonly changed?: readonly string[]
  /** When it was printed, such as 2026-01-31. */
  readonly date: string
  /** Markdown of one's own, with which the page ends. */
  readonly notes?: string
}

type TableRow = Record<string, string>

/** The columns and rows of the table as text: plan, cost, and for every column ours and the paper's. */
export function tableOf({ table, scale, rows }: Summary): { columns: Column<TableRow>[]; rows: TableRow[] } {
  return {
    columns: [
      { key: 'plan', title: 'plan' },
      right('params'),
      right('depth'),
      right('FLOPs'),
      right('steps'),
      ...measuredColumns(table, scale),
    ],
    rows: rows.map((row) => ({
      plan: row.plan,
      params: range(row.parameters, formatParameters),
      depth: String(row.effectiveDepth),
      FLOPs: formatFlops(row.trainingFlops),
      steps: range(row.steps, formatInteger),
      ...measuredTexts(scale, row.cells),
    })),
  }
}

const range = ([least, most]: readonly [number, number], format: (x: number) => string) =>
  format(least) === format(most) ? format(least) : `${format(least)}–${format(most)}`

const right = (key: string, title = key): Column<TableRow> => ({ key, title, align: 'right' })

/** Ours, and the paper's if it has cells. */
const measuredColumns = ({ published }: PublishedTable, { columns }: Scale): Column<TableRow>[] =>
  columns.flatMap(({ title, like }) => [
    right(title),
    ...(published.columns.length > 0
      ? [{ ...right(`paper ${title}`, `paper${like ? `, ${like}` : ''}`), joined: true }]
      : []),
  ])

const measuredTexts = ({ columns }: Scale, cells: MeasuredCells): TableRow =>
  Object.fromEntries(
    columns.flatMap(({ title }) => [
      [title, cells[title] ? spread(cells[title]) : '–'],
      [`paper ${title}`, percent(cells[title]?.published)],
    ]),
  )

/** Every row's best run, where the paper reports those; empty where there are none of several. */
function bestTable({ table, scale, rows }: Summary): { columns: Column<TableRow>[]; rows: TableRow[] } {
  return {
    columns: [{ key: 'plan', title: 'plan' }, right('seed'), ...measuredColumns(table, scale)],
    rows: rows.flatMap(({ plan, best }) =>
      best ? [{ plan, seed: String(best.seed), ...measuredTexts(scale, best.cells) }] : [],
    ),
  }
}

const bestHeading = 'The best run of every row, as the paper reports it'

const bestCaption = ({ table }: Summary) =>
  `${table.measure === 'error' ? 'Error' : 'Accuracy'} in percent of the seed that is best on average over these columns.`

const percent = (x: number | undefined) => (x === undefined ? '–' : (100 * x).toFixed(1))
const spread = ({ mean, deviation }: Measured) =>
  deviation === undefined ? percent(mean) : `${percent(mean)} ± ${percent(deviation)}`

/** Chance and shortcuts of every column, in a sentence each, and then what every shortcut is. */
export function levelSentences({ table, levels }: Summary): string[] {
  const isError = table.measure === 'error'
  const level = (accuracy: number) => formatPercent(isError ? 1 - accuracy : accuracy)
  const columns = Object.entries(levels).map(([title, { chance, shortcuts }]) => {
    const known = shortcuts.map(({ name, accuracy }) => `${name} ${level(accuracy)}`)
    const all = [`chance ${level(chance)}`, ...(known.length > 0 ? [`shortcuts: ${known.join(', ')}`] : [])]
    return `${title}: ${isError ? 'errors by ' : ''}${all.join('; ')}.`
  })
  const meanings = Object.values(levels).flatMap(({ shortcuts }) =>
    shortcuts.map(({ name, note }) => `${name[0].toUpperCase()}${name.slice(1)}: ${note}.`),
  )
  return [...columns, ...new Set(meanings)]
}

/** What the numbers of the table are. */
export function caption({ table, scale, rows, target, trainings: { done, of, diverged } }: Summary): string {
  const stops = target === undefined ? '' : `, fewer where a row reached ${formatPercent(target)} of validation samples`
  const pooled = scale.models.length > 1 ? `, over the ${scale.models.length} trainings of a row and seed` : ''
  const lost = diverged.map(
    ({ recipe: { name, model, seed } }) => `\`${model.plan}\` of ${name}, seed ${seed}, diverged. `,
  )
  const unfinished = done < of ? `Unfinished: ${done} of ${of} trainings are done. ${lost.join('')}` : ''
  return (
    `${unfinished}${table.measure === 'error' ? 'Error' : 'Accuracy'} in percent on held-out samples, ` +
    `${seedsOf(rows)}; params: all parameters; FLOPs: mean of a training${pooled}; steps: updates${stops}.`
  )
}

/** How many seeds stand behind the cells, which differ while a table is unfinished. */
function seedsOf(rows: readonly SummaryRow[]): string {
  const counts = rows.flatMap(({ cells }) => Object.values(cells).map(({ values }) => values.length))
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  if (most === 1) return 'one seed'
  return `mean ± standard deviation over ${least === most ? most : `${least} to ${most}`} seeds`
}

const changedNote = ({ changed = [] }: Provenance) =>
  changed.length > 0 ? [`Changed here, whatever else is said: ${changed.join(', ')}.`] : []

const foot = ({ commits, machines }: Summary, { command, date }: Provenance) =>
  `${date}, \`${command}\`. Trained at ${commits.length > 1 ? 'commits' : 'commit'} ${commits.join(', ')}; on ${machines.join('; on ')}.`

/** The Markdown page, and the figures that it shows from beside it, by file name: of each model the hardest column that the paper has, too. */
export function markdownReport(
  summary: Summary,
  provenance: Provenance,
  name: string,
): { markdown: string; figures: Readonly<Record<string, string>> } {
  const { table, scale } = summary
  const { columns, rows } = tableOf(summary)
  const list = (sentences: readonly string[]) => sentences.map((sentence) => `- ${sentence}`).join('\n')
  const sweeps = sweepFindings(summary)
  const best = bestTable(summary)
  const figures: Record<string, string> = {}
  const shown = (suffix: string, caption: string, svg: string) => {
    const file = `${name}-${suffix.replaceAll(/\W+/g, '-')}.svg`
    figures[file] = svg
    return `![${caption}](${file})`
  }
  const hardest = scale.models.flatMap((_, model) => {
    const own = scale.columns.filter((column) => column.model === model)
    const beside = own.filter(({ title, like }) => table.published.columns.includes(like ?? title))
    return beside.at(-1) ?? own.at(-1) ?? []
  })
  const markdown = [
    `# ${table.title}`,
    [`After ${table.source}.`, ...scale.notes, ...changedNote(provenance)].join(' '),
    markdownTable(columns, rows),
    caption(summary),
    list([...findings(summary), ...fitFindings(summary)]),
    ...(best.rows.length > 0
      ? [`## ${bestHeading}`, markdownTable(best.columns, best.rows), bestCaption(summary)]
      : []),
    ...hardest.map(({ title }) => shown(title, depthCaption(summary, title), depthFigure(summary, title))),
    '## Levels to compare with',
    list(levelSentences(summary)),
    ...(sweeps.length > 0 ? ['## Fewer loops, more loops', sweepNote, list(sweeps)] : []),
    ...scale.models.flatMap(({ name: recipe }, model) => {
      const figure = sweepFigure(summary, model)
      return figure ? [shown(`${recipe}-loops`, sweepCaption(recipe), figure)] : []
    }),
    foot(summary, provenance),
    provenance.notes?.trim() ?? '',
  ]
  return { markdown: `${markdown.filter((part) => part !== '').join('\n\n')}\n`, figures }
}

const depthCaption = ({ table }: Summary, title: string) =>
  `${title}: ${table.measure} against effective depth; chance dashed.`

const sweepNote = `Measured on ${sweepSamples} held-out samples a seed of what the model was trained on.`

const sweepCaption = (recipe: string) => `${recipe}: accuracy against evaluated loops, as trained ringed.`

const loopedRows = ({ rows }: Summary, model: number) => rows.filter((row) => row.sweeps[model].length > 0)

/** Of all looped rows of a model; undefined where there is none. */
function sweepFigure(summary: Summary, model: number): string | undefined {
  const looped = loopedRows(summary, model)
  if (looped.length === 0) return undefined
  return loopSweepFigure({
    series: looped.map((row) => ({
      label: row.plan,
      points: row.sweeps[model],
      trainedLoops: asPlanned(LoopPlan.parse(row.plan)).loops,
    })),
    chance: summary.chances[model],
    references: [],
  })
}

/** The HTML page, with figures. */
export function htmlPage(summary: Summary, provenance: Provenance): string {
  const { table, scale } = summary
  const { columns, rows } = tableOf(summary)
  const best = bestTable(summary)
  const figures = scale.columns.map(({ title }) => ({
    figure: depthFigure(summary, title),
    caption: depthCaption(summary, title),
  }))
  return htmlReport({
    title: table.title,
    summary: findings(summary),
    sections: [
      {
        heading: 'Ours beside the paper’s',
        body: [
          `After ${table.source}.`,
          ...scale.notes,
          ...changedNote(provenance),
          { table: htmlTable(columns, rows), caption: caption(summary) },
          ...levelSentences(summary),
        ],
      },
      ...(best.rows.length > 0
        ? [
            {
              heading: bestHeading,
              body: [{ table: htmlTable(best.columns, best.rows), caption: bestCaption(summary) }],
            },
          ]
        : []),
      { heading: 'Depth', body: [...fitFindings(summary), ...figures] },
      ...scale.models.flatMap((recipe, model) => {
        const figure = sweepFigure(summary, model)
        if (!figure) return []
        return [
          {
            heading: `Fewer loops, more loops: ${recipe.name}`,
            body: [
              sweepNote,
              ...sweepFindings(summary, model),
              { figure, caption: sweepCaption(recipe.name) },
              {
                table: htmlTable(sweepColumns, sweepRows(loopedRows(summary, model), model)),
                caption: 'The same in numbers.',
              },
            ],
          },
        ]
      }),
    ],
    footer: foot(summary, provenance),
  })
}

const sweepColumns = ['plan', 'loops', 'depth', 'accuracy', 'loss'].map(
  (key): Column<TableRow> => ({ key, title: key, align: key === 'plan' ? 'left' : 'right' }),
)

const sweepRows = (rows: readonly SummaryRow[], model: number): TableRow[] =>
  rows.flatMap(({ plan, sweeps }) =>
    sweeps[model].map(({ loops, accuracy, loss }) => ({
      plan,
      loops: String(loops),
      depth: String(LoopPlan.parse(plan).withLoops(loops).effectiveDepth),
      accuracy: formatPercent(accuracy),
      loss: formatLoss(loss),
    })),
  )
