import type { Program } from '../../compile/program.ts'
import type { Placed } from './place.ts'
import type { Lowered, Step, Target } from './steps.ts'

/** A Schedule as text: one kernel call a line, with the place of everything it touches. */
export function printSchedule(
  program: Program,
  lowered: Lowered,
  { places, stacked, together, arenaBytes }: Placed,
  head: { variant: string; precision: string; groups: number },
): string {
  const at = (value: number | undefined): string => {
    if (value === undefined) return '–'
    const { memory, index, halves, offset, strides } = places.get(value)!
    const base = `${halves ? 'bf16 ' : ''}${memory === 'arena' ? `@${offset}` : `${memory}${index}`}`
    return base + strides.map((s, depth) => (s ? `+${s}·i${depth}` : '')).join('')
  }
  const to = (t: Target): string => (!t ? '–' : 'sum' in t ? `+= ${program.sums[t.sum].name}` : at(t.value))
  const line = (step: Step, indent: string): string => {
    if ('steps' in step) {
      const times = step.runs === undefined ? `${step.count}` : `up to ${step.count}, by ${at(step.runs)}`
      const body = step.steps.map((s) => line(s, `${indent}  `))
      return [`${indent}loop ${times}${step.reverse ? ', backwards' : ''} {`, ...body, `${indent}}`].join('\n')
    }
    const numbers = [...step.integers, ...step.reals].join(' ')
    const each = together > 1 && !stacked.has(step) ? 'each: ' : ''
    return `${indent}${each}${step.kernel} (${step.reads.map(at).join(', ')}) → ${step.writes.map(to).join(', ')}  [${numbers}]`
  }
  const packs = lowered.packs.map((p, i) => `  pack ${i}: ${program.parameters[p.parameter].name} as [${p.K}, ${p.N}]`)
  return [
    `schedule ${program.name} on ${head.variant}, ${head.precision}, ${head.groups} groups, ${together} side by side, arena ${arenaBytes} bytes {`,
    ...packs,
    ...lowered.steps.map((s) => line(s, '  ')),
    '}',
  ].join('\n')
}
