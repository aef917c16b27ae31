import { formatCount, formatDuration, formatInteger, formatLoss, formatParameters, formatPercent } from './format.ts'
import type { Column } from './table.ts'
import type { CurvePoint } from './training-curves.ts'

/** What is known of a run; what a run has not reached yet is absent. */
export interface ComparedRun {
  name: string
  plan: string
  parameters: number
  effectiveDepth: number
  steps: number
  loss?: number
  /** A fraction, at the trained loops. */
  accuracy?: number
  /** Tokens trained on. */
  tokens: number
  seconds: number
  curve: readonly CurvePoint[]
  /** Accuracy at other numbers of loops. */
  sweep?: readonly { loops: number; accuracy: number }[]
}

/** A row of the comparison: the run, its loss curve as text, and its accuracy at each evaluated number of loops. */
export type ComparedRow = Omit<ComparedRun, 'curve' | 'sweep'> & {
  curve: string
  [at: `loops=${number}`]: number | undefined
}

/**
 * Several runs as one table, the most telling columns first: for `textTable`, `markdownTable` or `htmlTable`.
 * The column `curve` draws each run's loss from its first step to its last, between its own least and greatest; the last
 * columns are the accuracies at each number of loops that any of the runs was evaluated with.
 */
export function compareRuns(runs: readonly ComparedRun[]): { columns: Column<ComparedRow>[]; rows: ComparedRow[] } {
  const loopCounts = [...new Set(runs.flatMap(({ sweep = [] }) => sweep.map(({ loops }) => loops)))].sort(
    (a, b) => a - b,
  )
  const rows = runs.map(({ curve, sweep = [], ...run }): ComparedRow => {
    const losses = curve.flatMap(({ loss }) => (loss === undefined ? [] : [loss]))
    const accuracies = sweep.map(({ loops, accuracy }) => [`loops=${loops}`, accuracy])
    return { ...run, curve: sparkline(losses), ...Object.fromEntries(accuracies) }
  })
  const sweepColumns = loopCounts.map((loops): Column<ComparedRow> => {
    return {
      key: `loops=${loops}`,
      title: `${loops} ${loops === 1 ? 'loop' : 'loops'}`,
      align: 'right',
      format: formatPercent,
    }
  })
  return { columns: [...runColumns, ...sweepColumns], rows }
}

const runColumns: readonly Column<ComparedRow>[] = [
  { key: 'name', title: 'run' },
  { key: 'plan', title: 'plan' },
  { key: 'parameters', title: 'params', align: 'right', format: formatParameters },
  { key: 'effectiveDepth', title: 'depth', align: 'right' },
  { key: 'steps', title: 'steps', align: 'right', format: formatInteger },
  { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
  { key: 'loss', title: 'loss', align: 'right', format: formatLoss },
  { key: 'curve', title: 'loss curve' },
  { key: 'tokens', title: 'tokens', align: 'right', format: formatCount },
  { key: 'seconds', title: 'time', align: 'right', format: formatDuration },
]

const bars = '▁▂▃▄▅▆▇█'

/** Values as a row of at most `width` bars, each the mean of its stretch; values that are not finite are left out. */
export function sparkline(values: readonly number[], width = 10): string {
  const finite = values.filter(Number.isFinite)
  const count = Math.min(width, finite.length)
  const means = Array.from({ length: count }, (_, i) => {
    const part = finite.slice(Math.floor((i * finite.length) / count), Math.floor(((i + 1) * finite.length) / count))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  const low = Math.min(...means)
  const range = Math.max(...means) - low
  return means.map((mean) => bars[range === 0 ? 0 : Math.round((7 * (mean - low)) / range)]).join('')
}
