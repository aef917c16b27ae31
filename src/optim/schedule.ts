/** How the learning rate goes over a run; `warmup` in steps, `final` as a fraction of the peak. */
export type Schedule =
  | { readonly name: 'constant'; readonly warmup: number }
  | { readonly name: 'cosine' | 'linear'; readonly warmup: number; readonly final: number }
  | { readonly name: 'one-cycle'; readonly pctStart: number; readonly div: number; readonly finalDiv: number }

const halfCosine = (from: number, to: number, x: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * x))) / 2

/**
 * The learning rate of update `step`, counted from 1 to `steps`, as a fraction of the peak.
 *
 * It rises in a straight line to 1 at step `warmup`; then it stays (constant) or falls to `final` at the last step, in
 * a straight line (linear) or half a cosine.
 *
 * `one-cycle` is torch's OneCycleLR with two phases and cosine annealing (after Smith & Topin 2018): from 1 / div up to
 * 1 at step pctStart · steps, then down to 1 / (div · finalDiv) at the last step.
 *
 * @example
 * 1e-3 * learningRate({ name: 'cosine', warmup: 10, final: 0 }, 1, 1000) // 1e-4
 */
export function learningRate(schedule: Schedule, step: number, steps: number): number {
  if (schedule.name === 'one-cycle') return oneCycle(schedule, step, steps)
  const { warmup } = schedule
  if (step <= warmup) return step / warmup
  if (schedule.name === 'constant') return 1
  const progress = (step - warmup) / (steps - warmup)
  return schedule.name === 'linear' ? 1 + (schedule.final - 1) * progress : halfCosine(1, schedule.final, progress)
}

function oneCycle(
  { pctStart, div, finalDiv }: Extract<Schedule, { name: 'one-cycle' }>,
  step: number,
  steps: number,
): number {
  const top = pctStart * steps
  if (step < top) return halfCosine(1 / div, 1, (step - 1) / (top - 1))
  return halfCosine(1, 1 / (div * finalDiv), steps > top ? (step - top) / (steps - top) : 0)
}
