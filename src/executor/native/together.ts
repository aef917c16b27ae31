import { kernelSteps, type Lowered, type Step } from './steps.ts'

/**
 * Rows that matrix products should have: shorter sequences are worked off side by side, as many as make so many rows, so
 * that a weight is read once for all of them. Ours; it does not depend on the machine, so results do not either.
 */
const ROWS = 64

/** How many sequences a worker works off side by side. */
export function sequencesTogether(lowered: Lowered): number {
  const steps = kernelSteps(lowered.steps)
  const rows = steps.filter(({ kernel, rows }) => kernel === 'matmul' && rows === 0).map(({ integers }) => integers[0])
  if (rows.length === 0 || hasBoundedLoop(lowered.steps)) return 1
  return Math.max(1, Math.floor(ROWS / Math.max(...rows)))
}

/** Sequences leave such a loop at different times. */
function hasBoundedLoop(steps: readonly Step[]): boolean {
  return steps.some((step) => 'steps' in step && (step.runs !== undefined || hasBoundedLoop(step.steps)))
}
