import { LatheError } from '../settings/error.ts'
import { type LoopPlan, maxEffectiveDepth } from './loop-plan.ts'

/** A model's layers looped in one way, and how often its looped segment goes round: what a sweep is plotted against. */
export interface Looping {
  readonly plan: LoopPlan
  readonly loops: number
}

/** A plan as it is; of several looped segments the greatest count is taken, of a plain plan 1. */
export function asPlanned(plan: LoopPlan): Looping {
  return { plan, loops: Math.max(...plan.segments.map(({ loops }) => loops)) }
}

/** A plan's looped segment at other counts. Throws a LatheError where the plan leaves open which segment is meant. */
export function loopedAt(plan: LoopPlan, counts: readonly number[]): Looping[] {
  return counts.map((loops) => ({ plan: plan.withLoops(loops), loops }))
}

/**
 * Where a model is evaluated when nobody says: at powers of two up to twice its loops, and at its own loops, but no
 * deeper than a plan may be; as it is, where it has no looped segment or several.
 *
 * @example
 * usualLoops(LoopPlan.parse('1x6')).map(({ loops }) => loops) // [1, 2, 4, 6, 8, 12]
 */
export function usualLoops(plan: LoopPlan): Looping[] {
  const planned = asPlanned(plan)
  const [looped, ...others] = plan.segments.filter(({ loops }) => loops > 1)
  if (looped === undefined || others.length > 0) return [planned]
  const most = planned.loops + Math.floor((maxEffectiveDepth - plan.effectiveDepth) / looped.layers)
  const powers = Array.from({ length: Math.ceil(Math.log2(2 * planned.loops)) }, (_, i) => 2 ** i)
  const counts = new Set([...powers, planned.loops, 2 * planned.loops])
  return loopedAt(
    plan,
    [...counts].filter((loops) => loops <= most).sort((a, b) => a - b),
  )
}

/**
 * Reads `1,2,4,8`, counts of the one looped segment, or `2:8`, segment 2 looped 8 times; the two may be mixed.
 * Throws a LatheError that names what is wrong.
 */
export function parseLoops(text: string, plan: LoopPlan): Looping[] {
  return text.split(',').map((part) => {
    const [, segment, count] = /^(?:(\d+):)?(\d+)$/.exec(part) ?? []
    if (count === undefined)
      throw new LatheError(
        `loops ${JSON.stringify(text)}: ${JSON.stringify(part)} is no count: ` +
          'write counts such as 1,2,4 or segment:count such as 2:8',
      )
    const loops = Number(count)
    return { plan: plan.withLoops(segment === undefined ? loops : { [segment]: loops }), loops }
  })
}
