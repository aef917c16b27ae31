import type { Program } from '../../compile/program.ts'
import { sizeOf } from '../../tensor/type.ts'
import { type KernelStep, kernelSteps, type Lowered, type Step, valuesOf } from './steps.ts'
import { sequencesTogether } from './together.ts'

/** The memories that a kernel's pointers point into. */
export type Memory = 'arena' | 'parameter' | 'input' | 'state' | 'output' | 'sum'

/**
 * Where a value lies: bytes from the start of the arena, or of the array `index` of its kind, plus steps of loops and of
 * the sequences that are worked off side by side.
 */
export interface Place {
  readonly memory: Memory
  readonly index: number
  /** Whether its values are bf16, and no f32. */
  readonly halves: boolean
  readonly offset: number
  /** Bytes per iteration of the loop at each depth. */
  readonly strides: readonly number[]
  /** Bytes from one sequence to the next; 0 for what all share. */
  readonly sequence: number
}

interface Life {
  first: number
  last: number
}

const ALIGNMENT = 64

/** A Schedule with a place for every value. */
export interface Placed {
  readonly places: Map<number, Place>
  readonly arenaBytes: number
  /** Sequences that a worker works off side by side. */
  readonly together: number
  /** Of the kernels that can compute all of them at once, those whose rows do lie one after another. */
  readonly stacked: ReadonlySet<KernelStep>
}

/** Gives every value a place: sources where their arrays are, the rest in an arena whose memory is used again. */
export function place(program: Program, lowered: Lowered): Placed {
  const owner = (value: number): number => {
    const next = lowered.aliases.get(value) ?? lowered.slices.get(value)?.stack ?? lowered.inPlace.get(value)
    return next === undefined ? value : owner(next)
  }
  const isHalf = (value: number) => lowered.halves.has(owner(value))
  const bytes = (value: number) => (isHalf(value) ? 2 : 4) * sizeOf(lowered.values[value].shape)
  const fixed = new Map<number, Place>()
  const fix = (value: number, memory: Memory, index: number) =>
    fixed.set(value, {
      memory,
      index,
      halves: false,
      offset: 0,
      strides: [],
      sequence: memory === 'parameter' ? 0 : bytes(value),
    })
  const source = (memory: Memory, bindings: Program['inputs']) => {
    for (const [index, { value }] of bindings.entries()) fix(value, memory, index)
  }
  source('parameter', program.parameters)
  source('input', program.inputs)
  source('state', program.states)
  for (const [value, index] of lowered.outputs) fix(value, 'output', index)

  const together = sequencesTogether(lowered)
  const interleaved = interleavedStacks(lowered, owner, bytes)
  const isInterleaved = (value: number) => !fixed.has(owner(value)) && interleaved(owner(value))
  const { offsets, arenaBytes } = packArena(lifetimes(lowered, owner, fixed), (value) => together * bytes(value))
  const indexes = new Set(loopIndexes(lowered.steps))
  const places = new Map<number, Place>()
  const find = (value: number): Place => {
    const known = places.get(value) ?? fixed.get(value)
    if (known) return known
    const same = lowered.aliases.get(value) ?? lowered.inPlace.get(value)
    const slice = lowered.slices.get(value)
    if (same !== undefined) return find(same)
    const sequence = indexes.has(value) ? 0 : bytes(value)
    const halves = isHalf(value)
    if (!slice) return { memory: 'arena', index: 0, halves, offset: offsets.get(value)!, strides: [], sequence }
    const stack = find(slice.stack)
    const strides = Array.from(
      { length: Math.max(stack.strides.length, slice.depth + 1) },
      (_, d) => stack.strides[d] ?? 0,
    )
    strides[slice.depth] += isInterleaved(value) ? together * bytes(value) : bytes(value)
    return { ...stack, strides, sequence: isInterleaved(value) ? sequence : stack.sequence }
  }
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) for (const v of touched(step)) places.set(v, find(v))
    for (const step of steps) if (step.kernel === 'loop') visit((step as { steps: readonly Step[] }).steps)
  }
  visit(lowered.steps)
  const follows = (value: number) => [0, bytes(value)].includes(places.get(value)!.sequence)
  const stacked = kernelSteps(lowered.steps).filter((step) => step.rows !== undefined && valuesOf(step).every(follows))
  return { places, arenaBytes, together, stacked: new Set(stacked) }
}

function loopIndexes(steps: readonly Step[]): number[] {
  return steps.flatMap((step) => ('steps' in step ? [step.index, ...loopIndexes(step.steps)] : []))
}

/** Values whose memory a step itself touches. */
function touched(step: Step): number[] {
  if (!('steps' in step)) return valuesOf(step)
  return step.runs === undefined ? [step.index] : [step.index, step.runs]
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

/**
 * Which stacks hold slice i of all sequences, then slice i + 1 of all: those whose slices alone are read and written. What
 * kernels touch in parts of several sizes lies together for each sequence.
 */
function interleavedStacks(lowered: Lowered, owner: (v: number) => number, bytes: (v: number) => number) {
  const sizes = new Map<number, Set<number>>()
  for (const value of kernelSteps(lowered.steps).flatMap(valuesOf)) {
    const own = sizes.get(owner(value))
    if (own) own.add(bytes(value))
    else sizes.set(owner(value), new Set([bytes(value)]))
  }
  return (stack: number): boolean => sizes.get(stack)!.size === 1
}

/** Greedy placement by size: each value at the lowest offset that no value alive with it holds. */
function packArena(lives: ReadonlyMap<number, Life>, size: (value: number) => number) {
  const offsets = new Map<number, number>()
  const placed: { life: Life; start: number; end: number }[] = []
  const bytes = (value: number) => Math.ceil(size(value) / ALIGNMENT) * ALIGNMENT
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
