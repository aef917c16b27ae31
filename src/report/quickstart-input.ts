import { LatheError } from '../settings/error.ts'
import { formatDuration, formatFlops, formatInteger, formatParameters, formatPercent } from './format.ts'
import type { Column } from './table.ts'
import type { CurvePoint } from './training-curves.ts'

export type QuickstartRole = 'iso-parameter' | 'looped' | 'iso-FLOP'

export interface QuickstartRow {
  plan: string
  role: QuickstartRole
  /** Of the whole model, embedding and head included. */
  parameters: number
  effectiveDepth: number
  /** Of the whole training, forward and backward. */
  trainingFlops: number
  steps: number
  seconds: number
  /** A fraction; the looped model's with its trained loops. */
  accuracy: number
  /** Accuracy of a guess, a fraction. */
  chance: number
}

/** Three models of one task, trained on the same data in the same order with the same seed. */
export interface QuickstartInput {
  /** One row of each role. */
  rows: readonly QuickstartRow[]
  /** The looped model evaluated at several loop counts. */
  sweep: readonly { loops: number; accuracy: number; loss: number }[]
  trainedLoops: number
  /** A curve of each row, its label the row's plan. */
  curves: readonly { label: string; points: readonly CurvePoint[] }[]
  task: { description: string; exampleInput: string; exampleTarget: string; explanation: string }
  seed: number
  /** How many held-out sequences every accuracy is measured on. */
  evaluationSequences: number
  /** What to try next. */
  next: readonly { command: string; does: string }[]
  environment: {
    cpu: string
    executor: string
    isa: string
    precision: string
    threads: number
    date: string
    command: string
    versions: Readonly<Record<string, string>>
  }
}

/** The quickstart's table, at most 80 characters wide in a terminal. */
export const quickstartColumns: readonly Column<QuickstartRow>[] = [
  { key: 'plan', title: 'plan' },
  { key: 'role', title: 'role' },
  { key: 'parameters', title: 'params', align: 'right', format: formatParameters },
  { key: 'effectiveDepth', title: 'depth', align: 'right' },
  { key: 'trainingFlops', title: 'training', align: 'right', format: formatFlops },
  { key: 'steps', title: 'steps', align: 'right', format: formatInteger },
  { key: 'seconds', title: 'time', align: 'right', format: formatDuration },
  { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
  { key: 'chance', title: 'chance', align: 'right', format: formatPercent },
]

/** What the table leaves out of how its accuracies were measured. */
export function quickstartNote({ seed, trainedLoops, evaluationSequences }: QuickstartInput): string {
  return (
    `Accuracy on ${formatInteger(evaluationSequences)} held-out sequences; ` +
    `the looped model trained and evaluated with ${trainedLoops} loops; one seed (${seed}).`
  )
}

/** The row of a role. Throws LatheError where there is none. */
export function rowOf({ rows }: QuickstartInput, role: QuickstartRole): QuickstartRow {
  const row = rows.find((candidate) => candidate.role === role)
  if (!row)
    throw new LatheError(`quickstart report: no ${role} row among ${rows.map((r) => r.plan).join(', ') || 'none'}`)
  return row
}
