/**
 * The native executor: Programs lowered to C++ kernels on a pool of threads, without blocking the event loop.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Program } from '../../compile/program.ts'
import { LatheError } from '../../settings/error.ts'
import { nearest } from '../../settings/nearest.ts'
import { allocate } from '../../tensor/type.ts'
import { checkProgram } from '../check-program.ts'
import { checkJobs, checkRun, checkSums } from '../checks.ts'
import {
  DEFAULT_GROUPS,
  type Executable,
  type Executor,
  type Job,
  type KernelTime,
  type Numbers,
  type Precision,
  type Run,
  type Schedule,
} from '../executor.ts'
import { type Addon, type Handle, loadAddon, type NativeJob, nativeIsBuilt } from './addon.ts'
import { encode } from './encode.ts'
import { describeKernel } from './kernels.ts'
import { lowerToSteps } from './lower.ts'
import { place } from './place.ts'
import { printSchedule } from './print.ts'
import { type KernelStep, kernelSteps } from './steps.ts'

export { nativeIsBuilt } from './addon.ts'

/** Variants that this CPU can run, best first; the last may be `amx-emulated`, which is only for tests. */
export function nativeVariants(): string[] {
  if (!nativeIsBuilt()) return []
  return loadAddon()
    .variants()
    .filter((v) => v.supported)
    .map((v) => v.name)
}

/** What `LATHE_ISA` asks for; set to nothing is not set. */
const askedIsa = (): string | undefined => process.env.LATHE_ISA || undefined

/** The variant to use: the best one, or the one asked for (`LATHE_ISA`), which this CPU must have. */
function chooseVariant(addon: Addon, wanted: string | undefined): string {
  const all = addon.variants()
  const best = all.find((v) => v.supported)!.name
  if (wanted === undefined) return best
  const found = all.find((v) => v.name === wanted)
  if (!found) {
    const near = nearest(
      wanted,
      all.map((v) => v.name),
    )
    throw new LatheError(
      `LATHE_ISA ${wanted} is no instruction set that Lathe knows${near ? `: did you mean ${near}?` : ''}`,
    )
  }
  if (!found.supported) throw new LatheError(`LATHE_ISA ${wanted} is more than this CPU has: the best here is ${best}`)
  return wanted
}

class NativeExecutable implements Executable {
  readonly schedule: Schedule
  readonly handle: Handle
  private readonly kernels: readonly KernelStep[]

  constructor(
    readonly program: Program,
    private readonly addon: Addon,
    private readonly device: Handle,
    options: { variant: string; precision: Precision; groups: number; timed: boolean },
  ) {
    const { variant, precision, groups } = options
    checkProgram(program, groups)
    const lowered = lowerToSteps(program, precision)
    const placed = place(program, lowered)
    const { arenaBytes, together } = placed
    const code = encode(program, lowered, placed, addon.kernels())
    const bf16 = Number(precision === 'bf16')
    const timed = Number(options.timed)
    this.handle = addon.compile({ variant, bf16, groups, timed, arenaBytes, together, ...code })
    this.kernels = kernelSteps(lowered.steps)
    const print = () => printSchedule(program, lowered, placed, { variant, precision, groups })
    this.schedule = { executor: 'native', arenaBytes, groups, print }
  }

  /** The run as the addon takes it: arrays in the Program's order, outputs allocated. */
  job(run: Run): NativeJob {
    const { program } = this
    checkRun(program, run)
    const { count, version = Number.NaN, parameters = {}, inputs = {}, states = {}, outputs = {} } = run
    return {
      executable: this.handle,
      count,
      version,
      parameters: program.parameters.map((p) => parameters[p.name]),
      inputs: program.inputs.map((i) => inputs[i.name]),
      states: program.states.map((s) => states[s.name]),
      outputs: program.outputs.map((o) => outputs[o.name] ?? allocate({ ...o, shape: [count, ...o.shape] }).data),
    }
  }

  /** What each kernel took so far, in the order of the steps; only of a timed one. */
  spent(): KernelTime[] {
    const numbers = this.addon.spent(this.handle, new Float64Array(2 * this.kernels.length))
    return this.kernels.map((step, i) => {
      const [seconds, sequences] = [numbers[2 * i], numbers[2 * i + 1]]
      const { detail, flops } = describeKernel(step)
      return { kernel: step.kernel, detail, seconds, flops: sequences * flops }
    })
  }

  named(outputs: readonly Numbers[]): Record<string, Numbers> {
    return Object.fromEntries(this.program.outputs.map((o, i) => [o.name, outputs[i]]))
  }

  async run(run: Run): Promise<Record<string, Numbers>> {
    const job = this.job(run)
    await this.addon.run(this.device, [job])
    return this.named(job.outputs)
  }

  async reduce(into: Readonly<Record<string, Float32Array>>, squares = new Map<string, number>()): Promise<void> {
    checkSums(this.program, into)
    const names = this.program.sums.map((s) => s.name)
    const arrays = names.map((name) => into[name] ?? null)
    const numbers = Float64Array.from(names, (name) => Number(squares.has(name)))
    await this.addon.reduce(this.device, this.handle, arrays, numbers)
    for (const [i, name] of names.entries()) if (into[name]) squares.set(name, numbers[i])
  }
}

/** The best of five tries of something that leaves how much it did, and in how many seconds, in what it is given. */
async function bestRate(rounds: number, attempt: (out: Float64Array) => Promise<void>): Promise<number> {
  const rates: number[] = []
  for (let i = 0; i < 5; i++) {
    const out = Float64Array.of(rounds, 0)
    await attempt(out)
    rates.push(out[0] / out[1])
  }
  return Math.max(...rates)
}

/**
 * FLOP/s that the instruction set can issue on `threads` threads: multiply-adds from registers and L1 on operands that
 * are not zeros. Undefined where it has no instruction for the precision.
 */
export async function nativePeak(precision: Precision, threads: number): Promise<number | undefined> {
  const addon = loadAddon()
  const variant = chooseVariant(addon, askedIsa())
  const device = addon.device(threads)
  const best = await bestRate(1_000_000, (out) => addon.peak(device, variant, Number(precision === 'bf16'), out))
  return best > 0 ? best : undefined
}

/** Bytes a second that `threads` threads read together, each `kib` KiB of its own again and again. */
export async function nativeReadRate(kib: number, threads: number): Promise<number> {
  const addon = loadAddon()
  const variant = chooseVariant(addon, askedIsa())
  const device = addon.device(threads)
  return bestRate(Math.ceil(2 ** 20 / kib), (out) => addon.read(device, variant, kib, out))
}

export interface NativeOptions {
  /** Default: LATHE_ISA, or the best that the CPU has. */
  readonly isa?: string
  /** Default: bf16 where the CPU multiplies it faster (AMX, vdpbf16ps), else f32. */
  readonly precision?: Precision
  /** Default: all that the machine offers. */
  readonly threads?: number
  /** Whether it keeps what each kernel takes, for `spent`. */
  readonly timed?: boolean
}

function startDevice(addon: Addon, threads: number): Handle {
  try {
    return addon.device(threads)
  } catch (error) {
    throw new LatheError(`cannot start ${threads} threads: ${(error as Error).message}`, { cause: error })
  }
}

const multipliesBf16 = ['amx', 'avx512bf16']

/** The executor of choice on a machine where the addon is built. Throws a LatheError for what the CPU does not have. */
export function nativeExecutor(options: NativeOptions = {}): Executor {
  const addon = loadAddon()
  const variant = chooseVariant(addon, options.isa ?? askedIsa())
  const precision = options.precision ?? (multipliesBf16.includes(variant) ? 'bf16' : 'f32')
  const threads = options.threads ?? availableParallelism()
  if (!Number.isInteger(threads) || threads < 1) throw new LatheError(`threads must be 1 or more, not ${threads}`)
  const device = startDevice(addon, threads)
  const { timed = false } = options
  const compiled: NativeExecutable[] = []
  return {
    name: 'native',
    isa: variant,
    precision,
    threads,
    compile(program, { groups = DEFAULT_GROUPS } = {}) {
      const executable = new NativeExecutable(program, addon, device, { variant, precision, groups, timed })
      if (timed) compiled.push(executable)
      return executable
    },
    ...(timed && { spent: () => compiled.flatMap((executable) => executable.spent()) }),
    async runAll(jobs: readonly Job[]) {
      checkJobs(jobs)
      const native = jobs.map(({ executable, run }) => (executable as NativeExecutable).job(run))
      await addon.run(device, native)
      return jobs.map(({ executable }, i) => (executable as NativeExecutable).named(native[i].outputs))
    },
  }
}
