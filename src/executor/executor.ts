import type { Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sizeOf, type TensorType } from '../tensor/type.ts'
import { checkIds } from './bounds.ts'

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
  /** Adds the groups' sums, in group order, to the given arrays and clears them. Sums without an array are dropped. */
  reduce(into: Readonly<Record<string, Float32Array>>): Promise<void>
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
}

/**
 * Groups of a batch where nothing else is asked for: enough that workers end together, few enough that summing their
 * gradients costs little. Ours; it does not depend on the machine, so results do not either.
 */
export const DEFAULT_GROUPS = 8

/** The sequences of group `g`: consecutive, sizes differing by at most one. */
export function groupRange(count: number, groups: number, g: number): [start: number, end: number] {
  return [Math.floor((count * g) / groups), Math.floor((count * (g + 1)) / groups)]
}

/** Checks a run's arrays against the Program, once for all executors. */
export function checkRun(
  program: Program,
  { count, parameters = {}, inputs = {}, states = {}, outputs = {} }: Run,
): void {
  const check = (kind: string, arrays: Arrays, wanted: readonly (TensorType & { name: string })[], copies: number) => {
    for (const type of wanted) {
      const array = arrays[type.name]
      const right = array && (type.dtype === 'f32' ? array instanceof Float32Array : array instanceof Int32Array)
      if (!right || array.length !== copies * sizeOf(type.shape))
        throw new LatheError(
          `${program.name}: ${kind} ${type.name} must be ${copies} × ${formatType(type)}, got ${array ? `${array.constructor.name} of ${array.length}` : 'nothing'}`,
        )
    }
  }
  if (!Number.isInteger(count) || count < 0) throw new LatheError(`${program.name}: a run of ${count} sequences`)
  check('parameter', parameters, program.parameters, 1)
  check('input', inputs, program.inputs, count)
  check('state', states, program.states, count)
  const destinations = program.outputs.filter((o) => outputs[o.name])
  check('output', outputs, destinations, count)
  checkIds(program, inputs)
}

/** Checks jobs that run together: one executable may come twice only when nothing of it is shared between them. */
export function checkJobs(jobs: readonly Job[]): void {
  const seen = new Set<Executable>()
  for (const { executable } of jobs) {
    const { name, parameters, sums } = executable.program
    if (seen.has(executable) && (parameters.length > 0 || sums.length > 0))
      throw new LatheError(
        `${name} has parameters or sums and comes twice in runAll: run it again, or compile it twice`,
      )
    seen.add(executable)
  }
}

/** Checks the arrays that sums are to be added to. */
export function checkSums(program: Program, into: Readonly<Record<string, Float32Array>>): void {
  for (const [name, array] of Object.entries(into)) {
    const sum = program.sums.find((s) => s.name === name)
    if (!sum)
      throw new LatheError(`${program.name} has no sum ${name}; it has ${program.sums.map((s) => s.name).join(', ')}`)
    if (array.length !== sizeOf(sum.shape))
      throw new LatheError(
        `${program.name}: the sum ${name} is ${formatType(sum)}, the array given has ${array.length}`,
      )
  }
}
