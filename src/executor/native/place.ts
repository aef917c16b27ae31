import type { Program } from '../../compile/program.ts'
import { sizeOf } from '../../tensor/type.ts'
import type { Lowered, Step } from './steps.ts'

/** The memories that a kernel's pointers point into. */
export type Memory = 'arena' | 'parameter' | 'input' | 'state' | 'output' | 'sum'

/** Where a value lies: bytes from the start of the arena, or of the array `index` of its kind, plus steps of loops. */
export interface Place {
  readonly memory: Memory
  readonly index: number
  readonly offset: number
  /** Bytes per iteration of the loop at each depth. */
  readonly strides: readonly number[]
}

interface Life {
  first: number
  last: number
}

const ALIGNMENT = 64

/** Gives every value a place: sources where their arrays are, the rest in an arena whose memory is used again. */
export function place(program: Program, lowered: Lowered): { places: Map<number, Place>; arenaBytes: number } {
  const fixed = new Map<number, Place>()
  const source = (memory: Memory, bindings: Program['inputs']) => {
    for (const [index, { value }] of bindings.entries()) fixed.set(value, { memory, index, offset: 0, strides: [] })
  }
  source('parameter', program.parameters)
  source('input', program.inputs)
  source('state', program.states)
  for (const [value, index] of lowered.outputs) fixed.set(value, { memory: 'output', index, offset: 0, strides: [] })

  const owner = (value: number): number => {
    const next = lowered.aliases.get(value) ?? lowered.slices.get(value)?.stack ?? lowered.inPlace.get(value)
    return next === undefined ? value : owner(next)
  }
  const { offsets, arenaBytes } = packArena(lifetimes(lowered, owner, fixed), lowered)
  const places = new Map<number, Place>()
  const find = (value: number): Place => {
    const known = places.get(value) ?? fixed.get(value)
    if (known) return known
    const same = lowered.aliases.get(value) ?? lowered.inPlace.get(value)
    const slice = lowered.slices.get(value)
    if (same !== undefined) return find(same)
    if (!slice) return { memory: 'arena', index: 0, offset: offsets.get(value)!, strides: [] }
    const stack = find(slice.stack)
    const strides = Array.from(
      { length: Math.max(stack.strides.length, slice.depth + 1) },
      (_, d) => stack.strides[d] ?? 0,
    )
    strides[slice.depth] += 4 * sizeOf(lowered.values[value].shape)
    return { ...stack, strides }
  }
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) for (const v of touched(step)) places.set(v, find(v))
    for (const step of steps) if (step.kernel === 'loop') visit((step as { steps: readonly Step[] }).steps)
  }
  visit(lowered.steps)
  return { places, arenaBytes }
}

/** Values whose memory a step itself touches. */
function touched(step: Step): number[] {
  if ('steps' in step) return step.runs === undefined ? [step.index] : [step.index, step.runs]
  const written = step.writes.flatMap((t) => (t && 'value' in t ? [t.value] : []))
  return [...step.reads.filter((v) => v !== undefined), ...written]
}

/** First and last step of every value that owns arena memory. What is alive before a loop and used in it lives through it. */
function lifetimes(
  lowered: Lowered,
  owner: (v: number) => number,
  fixed: ReadonlyMap<number, Place>,
): Map<number, Life> {
  const lives = new Map<number, Life>()
  let clock = 0
  const touch = (value: number): void => {
    const id = owner(value)
    if (fixed.has(id)) return
    const life = lives.get(id)
    if (life) life.last = clock
    else lives.set(id, { first: clock, last: clock })
  }
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      clock++
      for (const v of touched(step)) touch(v)
      if (!('steps' in step)) continue
      const start = clock
      visit(step.steps)
      clock++
      touch(step.index)
      for (const life of lives.values()) if (life.first <= start && life.last > start) life.last = clock
      for (const v of stacksWritten(step.steps, lowered)) {
        const life = lives.get(owner(v))
        if (life) [life.first, life.last] = [Math.min(life.first, start), Math.max(life.last, clock)]
      }
    }
  }
  visit(lowered.steps)
  return lives
}

/** Values written in a loop whose memory reaches beyond one iteration: slices of stacks. */
function stacksWritten(steps: readonly Step[], lowered: Lowered): number[] {
  return steps.flatMap((step) =>
    'steps' in step ? stacksWritten(step.steps, lowered) : touched(step).filter((v) => lowered.slices.has(v)),
  )
}

/** Greedy placement by size: each value at the lowest offset that no value alive with it holds. */
function packArena(lives: ReadonlyMap<number, Life>, { values }: Lowered) {
  const offsets = new Map<number, number>()
  const placed: { life: Life; start: number; end: number }[] = []
  const bytes = (v: number) => Math.ceil((4 * sizeOf(values[v].shape)) / ALIGNMENT) * ALIGNMENT
  let arenaBytes = 0
  for (const [value, life] of [...lives].sort((a, b) => bytes(b[0]) - bytes(a[0]))) {
    const alive = placed
      .filter((p) => p.life.first <= life.last && life.first <= p.life.last)
      .sort((a, b) => a.start - b.start)
    let start = 0
    for (const p of alive) if (p.start < start + bytes(value)) start = Math.max(start, p.end)
    offsets.set(value, start)
    placed.push({ life, start, end: start + bytes(value) })
    arenaBytes = Math.max(arenaBytes, start + bytes(value))
  }
  return { offsets, arenaBytes }
}
