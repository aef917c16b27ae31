/**
 * A Schedule before memory is planned: native kernels and loops in order, on values by number.
 */

import type { TensorType } from '../../tensor/type.ts'

/** Where a kernel writes: a value of its own, or, adding, a sum of the group. */
export type Target = { readonly value: number } | { readonly sum: number } | undefined

/** One call of a native kernel. */
export interface KernelStep {
  readonly kernel: string
  /** Values read, in the kernel's order; undefined where an optional one is absent. */
  readonly reads: readonly (number | undefined)[]
  readonly writes: readonly Target[]
  readonly integers: readonly number[]
  readonly reals: readonly number[]
  /**
   * Which integer counts rows: where the rows of several sequences lie one after another, one call with as many times
   * more rows computes them all. Undefined where each sequence needs a call of its own.
   */
  readonly rows?: number
}

/** A loop over steps. Slices and stacks share memory; carries are copied only where they cannot be written in place. */
export interface LoopStep {
  readonly kernel: 'loop'
  readonly count: number
  readonly reverse: boolean
  /** i32 scalar value that bounds the count. */
  readonly runs?: number
  readonly index: number
  readonly steps: readonly Step[]
}

export type Step = KernelStep | LoopStep

/** The kernels of all loops, in order. */
export function kernelSteps(steps: readonly Step[]): KernelStep[] {
  return steps.flatMap((step) => ('steps' in step ? kernelSteps(step.steps) : [step]))
}

/** Values that a kernel reads or writes. */
export function valuesOf({ reads, writes }: KernelStep): number[] {
  const written = writes.flatMap((target) => (target && 'value' in target ? [target.value] : []))
  return [...reads.filter((v) => v !== undefined), ...written]
}

/** A packed operand: a parameter in the panel form of `matmul`'s right side, `B[k][n] = data[k·rowStep + n·columnStep]`. */
export interface Pack {
  readonly parameter: number
  readonly K: number
  readonly N: number
  readonly rowStep: number
  readonly columnStep: number
}

/** That slice i of a stack, along the loop at `depth`, is a value of that loop's body. */
export interface SliceOf {
  readonly stack: number
  readonly depth: number
}

/** What lowering knows before places are given. */
export interface Lowered {
  readonly steps: readonly Step[]
  /** Type of each value: the Program's, then the lowering's own. */
  readonly values: readonly TensorType[]
  readonly packs: readonly Pack[]
  /** Values that are another value's memory under another shape. */
  readonly aliases: ReadonlyMap<number, number>
  readonly slices: ReadonlyMap<number, SliceOf>
  /** Values that live in the memory of a program output, by number of the output. */
  readonly outputs: ReadonlyMap<number, number>
  /** Values made in the memory of the carry that they become. */
  readonly inPlace: ReadonlyMap<number, number>
  /** Values, stacks and slices that are bf16 in memory. */
  readonly halves: ReadonlySet<number>
}
