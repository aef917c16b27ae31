import type { Program, TrainingPrograms } from '../compile/index.ts'
import { sizeOf } from '../tensor/type.ts'
import type { Arrays, Executable, Executor, Job, Numbers, Run } from './executor.ts'

/** Programs of one step, made ready: derives what depends on weights alone, runs sequences, pulls gradients back. */
export class StepRunner {
  readonly main: Executable
  private readonly derive?: Executable
  private readonly pullback?: Executable
  private readonly derivedGradients: Record<string, Float32Array>
  private derived: Arrays = {}
  private derivedVersion = -1

  constructor(executor: Executor, programs: TrainingPrograms, options: { groups?: number } = {}) {
    const { main, derive, pullback } = programs
    this.main = executor.compile(main, options)
    this.derive = derive && executor.compile(derive, { groups: 1 })
    this.pullback = pullback && executor.compile(pullback, { groups: 1 })
    this.derivedGradients = Object.fromEntries(
      (pullback?.inputs ?? []).map((t) => [t.name, new Float32Array(sizeOf(t.shape))]),
    )
  }

  /** Runs sequences: `version` must change whenever parameters do. Sums gather until `reduce`. */
  async run(run: Run & { readonly version: number }): Promise<Record<string, Numbers>> {
    return this.main.run((await this.job(run)).run)
  }

  /** The same as a job to be run together with others. */
  async job(run: Run & { readonly version: number }): Promise<Job> {
    if (this.derive && this.derivedVersion !== run.version) {
      const { parameters, version } = run
      this.derived = await this.derive.run({ count: 1, parameters: pick(parameters!, this.derive.program), version })
      this.derivedVersion = run.version
    }
    const parameters = pick({ ...run.parameters, ...this.derived }, this.main.program)
    return { executable: this.main, run: { ...run, parameters } }
  }

  /** As an Executable's `reduce`; gradients of derived tensors are pulled back. */
  async reduce(
    into: Readonly<Record<string, Float32Array>>,
    parameters: Arrays,
    squares = new Map<string, number>(),
  ): Promise<void> {
    const { main, pullback, derivedGradients } = this
    const wanted = ({ sums }: Program) =>
      Object.fromEntries(sums.flatMap(({ name }) => (into[name] ? [[name, into[name]]] : [])))
    for (const name of Object.keys(derivedGradients)) squares.delete(name)
    await main.reduce({ ...wanted(main.program), ...derivedGradients }, squares)
    if (!pullback) return
    await pullback.run({ count: 1, parameters: pick(parameters, pullback.program), inputs: derivedGradients })
    await pullback.reduce(wanted(pullback.program), squares)
  }
}

const pick = (arrays: Arrays, program: Program): Arrays =>
  Object.fromEntries(program.parameters.map((p) => [p.name, arrays[p.name]]))
