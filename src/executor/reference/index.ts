/**
 * The reference executor: the unfused Program in plain TypeScript, f32 with f64 sums. It is the oracle of every test,
 * and what runs where nothing else can. In `bf16` the operands of matrix products are rounded, as on hardware.
 * @module
 */
import type { Program } from '../../compile/program.ts'
import type { KernelContext } from '../../ops/index.ts'
import { bf16Copy } from '../../tensor/bf16.ts'
import { allocate, sizeOf, type Values } from '../../tensor/type.ts'
import { checkProgram } from '../check-program.ts'
import { checkJobs, checkRun, checkSums } from '../checks.ts'
import {
  type Arrays,
  DEFAULT_GROUPS,
  type Executable,
  type Executor,
  groupRange,
  type Numbers,
  type Precision,
  type Run,
} from '../executor.ts'
import { Interpreter } from './interpret.ts'

const contexts: Record<Precision, KernelContext> = {
  f32: { operand: (data) => data as Float32Array },
  bf16: { operand: (data) => bf16Copy(data as Float32Array) },
}

class ReferenceExecutable implements Executable {
  readonly schedule
  /** One set of sums per group. */
  private readonly sums: Map<string, Float32Array>[]

  constructor(
    readonly program: Program,
    private readonly precision: Precision,
    private readonly groups: number,
  ) {
    checkProgram(program, groups)
    const print = () => `reference: every instruction of ${program.name} in turn, ${groups} groups`
    this.schedule = { executor: 'reference', arenaBytes: 0, groups, print }
    this.sums = Array.from(
      { length: groups },
      () => new Map(program.sums.map((s) => [s.name, new Float32Array(sizeOf(s.shape))])),
    )
  }

  async run(run: Run): Promise<Record<string, Numbers>> {
    const { program } = this
    checkRun(program, run)
    const outputs = program.outputs.map(
      (o) => run.outputs?.[o.name] ?? allocate({ ...o, shape: [run.count, ...o.shape] }).data,
    )
    for (let g = 0; g < this.groups; g++) {
      const [start, end] = groupRange(run.count, this.groups, g)
      for (let sequence = start; sequence < end; sequence++) {
        const values = this.sequence(run, sequence, this.sums[g])
        program.outputs.forEach((o, i) => {
          outputs[i].set(values[o.value].data, sequence * sizeOf(o.shape))
        })
        // Long runs must leave the event loop room to breathe.
        await new Promise(setImmediate)
      }
    }
    return Object.fromEntries(program.outputs.map((o, i) => [o.name, outputs[i]]))
  }

  private sequence(
    { parameters = {}, inputs = {}, states = {} }: Run,
    sequence: number,
    sums: Map<string, Float32Array>,
  ): Values[] {
    const { program } = this
    const values: Values[] = new Array(program.values.length)
    const bind = (bindings: Program['inputs'], arrays: Arrays, perSequence: boolean) => {
      for (const { name, value, shape, dtype } of bindings) {
        const n = sizeOf(shape)
        const from = perSequence ? sequence * n : 0
        values[value] = { shape, dtype, data: arrays[name].subarray(from, from + n) }
      }
    }
    bind(program.parameters, parameters, false)
    bind(program.inputs, inputs, true)
    bind(program.states, states, true)
    new Interpreter(program, contexts[this.precision], sums, values).run(program.instructions)
    return values
  }

  async reduce(into: Readonly<Record<string, Float32Array>>, squares = new Map<string, number>()): Promise<void> {
    checkSums(this.program, into)
    for (const [name, total] of Object.entries(into)) {
      if (!squares.has(name)) total.fill(0)
      for (const group of this.sums)
        group.get(name)!.forEach((x, i) => {
          total[i] += x
        })
      squares.set(
        name,
        total.reduce((sum, x) => sum + x * x, 0),
      )
    }
    for (const group of this.sums) for (const sum of group.values()) sum.fill(0)
  }
}

/** An executor in plain TypeScript, on one thread. */
export function referenceExecutor(options: { precision?: Precision } = {}): Executor {
  const precision = options.precision ?? 'f32'
  return {
    name: 'reference',
    isa: 'typescript',
    precision,
    threads: 1,
    compile: (program, { groups = DEFAULT_GROUPS } = {}) => new ReferenceExecutable(program, precision, groups),
    async runAll(jobs) {
      checkJobs(jobs)
      const results: Record<string, Numbers>[] = []
      for (const { executable, run } of jobs) results.push(await executable.run(run))
      return results
    },
  }
}
