import type { Program } from '../compile/program.ts'

export type Precision = 'bf16' | 'f32'
export type Numbers = Float32Array | Int32Array
export type Arrays = Readonly<Record<string, Numbers>>

/** What one run computes on: every array is row-major; per-sequence arrays stack the sequences along a first axis. */
export interface Run {
  /** Number of sequences. */
  readonly count: number
  /** By name, shared by all sequences. */
  readonly parameters?: Arrays
  /** Changes whenever a parameter's values do: executors keep packed copies for as long as it stays. */
  readonly version?: number
  /** By name, `[count, …shape]`. */
  readonly inputs?: Arrays
  /** By name, `[count, …shape]`; changed in place. */
  readonly states?: Arrays
  /**
   * Where outputs go, by name, `[count, …shape]`; new arrays where absent. An output may be given an input's own array
   * when no instruction reads that input after the output is computed.
   */
  readonly outputs?: Arrays
}

/** One run of one executable, among others that `runAll` carries out together. */
export interface Job {
  readonly executable: Executable
  readonly run: Run
}

/** How an executor will carry out a Program, for people to read. */
export interface Schedule {
  readonly executor: string
  /** Bytes of memory that one worker needs besides parameters and sums. */
  readonly arenaBytes: number
  readonly groups: number
  print(): string
}

/** A Program made ready by one executor. */
export interface Executable {
  readonly program: Program
  readonly schedule: Schedule
  /** Runs every sequence. Returns the outputs, `[count, …shape]` each; sums stay in the groups until `reduce`. */
  run(run: Run): Promise<Record<string, Numbers>>
  /**
   * Writes the groups' sums, added up in group order, to the given arrays and clears them. Sums without an array are dropped.
   * An array that `squares` names is added to. Then `squares` has of each array the sum of the squares of what it holds.
   */
  reduce(into: Readonly<Record<string, Float32Array>>, squares?: Map<string, number>): Promise<void>
}

/** What one kernel call of a compiled Program took. */
export interface KernelTime {
  readonly kernel: string
  /** Sizes of a product, ops of an elementwise pass; else empty. */
  readonly detail: string
  /** So far, all threads together. */
  readonly seconds: number
  /** So far, of matrix products; of what is no product alone 0. */
  readonly flops: number
}

/** The seam that every way of computing stands behind. */
export interface Executor {
  readonly name: string
  /** The instruction set, such as `avx512`, or `typescript`. */
  readonly isa: string
  readonly precision: Precision
  readonly threads: number
  /** `groups`: how many parts a batch is cut into. It, and not the number of threads, decides the order of sums. */
  compile(program: Program, options?: { groups?: number }): Executable
  /** Many small runs at once, shared out among the threads (an optimizer's, one a parameter). Results in the jobs' order. */
  runAll(jobs: readonly Job[]): Promise<Record<string, Numbers>[]>
  /** What the kernels of all that it compiled took so far; only of a timed one (`ExecutorChoice`). */
  spent?(): KernelTime[]
}

/**
 * Groups of a batch where nothing else is asked for: enough that workers end together, few enough that summing their
 * gradients costs little. Ours; it does not depend on the machine, so results do not either.
 */
export const DEFAULT_GROUPS = 8

/** More groups than a batch has sequences help nobody, and each has sums of its own. Ours. */
export const MOST_GROUPS = 65_536

/** The sequences of group `g`: consecutive, sizes differing by at most one. */
export function groupRange(count: number, groups: number, g: number): [start: number, end: number] {
  return [Math.floor((count * g) / groups), Math.floor((count * (g + 1)) / groups)]
}
