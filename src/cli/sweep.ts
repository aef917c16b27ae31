import { LoopPlan } from '../plan/index.ts'
import { formatInteger, formatLoss, formatPercent } from '../report/format.ts'

/** A row of a loop sweep: the plan as evaluated and its effective depth. */
export const withDepth = <E extends { plan: string }>(evaluation: E) => ({
  ...evaluation,
  effectiveDepth: LoopPlan.parse(evaluation.plan).effectiveDepth,
})

export const sweepColumns = [
  { key: 'loops', title: 'loops', align: 'right' },
  { key: 'plan', title: 'evaluated plan' },
  { key: 'effectiveDepth', title: 'depth', align: 'right' },
  { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
  { key: 'loss', title: 'loss', align: 'right', format: formatLoss },
  { key: 'samples', title: 'samples', align: 'right', format: formatInteger },
] as const
