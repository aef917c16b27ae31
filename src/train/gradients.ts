import { programFlops } from '../compile/index.ts'
import type { Executor, Job } from '../executor/executor.ts'
import type { StepRunner } from '../executor/step-runner.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { sizeOf } from '../tensor/type.ts'
import type { MicroBatch } from './batches.ts'

/** What a batch says about the weights. */
export interface BatchGradients {
  /** Weighted mean cross-entropy, in nats. */
  readonly loss: number
  /** By parameter; the same arrays every time. */
  readonly gradients: Readonly<Record<string, Float32Array>>
  /** L2 norm of all gradients as one vector, before clipping. */
  readonly gradientNorm: number
  /** Per segment of the plan and loop: mean L2 norm of the state after the loop, over positions and sequences. */
  readonly stateNorm: number[][]
  /** The same of what the loop changed. */
  readonly updateNorm: number[][]
  /** Positions of the batch, padding and all. */
  readonly tokens: number
  /** Forward and backward. */
  readonly flops: number
}

/** Computes loss and gradients of batches; `compile` is asked for every length of sequence when it first comes. */
export class GradientComputer {
  private readonly runners = new Map<number, { step: StepRunner; flops: number }>()
  private readonly gradients: Record<string, Float32Array>
  /** Every sum of the Programs, by its name there. */
  private readonly sums: Record<string, Float32Array>

  constructor(
    private readonly executor: Executor,
    shapes: ParameterStore['shapes'],
    private readonly compile: (length: number) => StepRunner,
  ) {
    const zeros = Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))] as const)
    this.gradients = Object.fromEntries(zeros)
    this.sums = Object.fromEntries(zeros.map(([name, gradient]) => [`grad:${name}`, gradient]))
  }

  /** Runs all parts of a batch and sums what they give. */
  async compute({ values, version }: ParameterStore, parts: readonly MicroBatch[]): Promise<BatchGradients> {
    const cost = this.cost(parts)
    let jobs: Job[] = []
    for (const { count, length, inputs } of parts) {
      const { step } = this.runner(length)
      if (jobs.some(({ executable }) => executable === step.main)) {
        await this.executor.runAll(jobs)
        jobs = []
      }
      jobs.push(await step.job({ count, parameters: values, inputs, version }))
    }
    await this.executor.runAll(jobs)
    const squares = new Map<string, number>()
    for (const length of new Set(parts.map((part) => part.length)))
      await this.runner(length).step.reduce(this.sums, values, squares)
    for (const [name, sum] of Object.entries(this.sums)) if (!squares.has(name)) sum.fill(0)
    const names = Object.keys(this.gradients)
    const sequences = parts.reduce((sum, { count }) => sum + count, 0)
    return {
      loss: this.sums.loss[0],
      gradients: this.gradients,
      gradientNorm: Math.sqrt(names.reduce((total, name) => total + (squares.get(`grad:${name}`) ?? 0), 0)),
      stateNorm: this.perSegment('stateNorm', sequences),
      updateNorm: this.perSegment('updateNorm', sequences),
      ...cost,
    }
  }

  /** Positions, padding and all, and FLOPs, forward and backward, of a batch. */
  cost(parts: readonly MicroBatch[]): Pick<BatchGradients, 'tokens' | 'flops'> {
    const total = (of: (part: MicroBatch) => number) => parts.reduce((sum, part) => sum + part.count * of(part), 0)
    return { tokens: total(({ length }) => length), flops: total(({ length }) => this.runner(length).flops) }
  }

  private perSegment(name: string, sequences: number): number[][] {
    const means: number[][] = []
    for (let sum = this.sums[`${name}.0`]; sum; sum = this.sums[`${name}.${means.length}`])
      means.push(Array.from(sum, (x) => x / sequences))
    return means
  }

  private runner(length: number) {
    const known = this.runners.get(length)
    if (known) return known
    const step = this.compile(length)
    const { program } = step.main
    for (const { name, shape } of program.sums) {
      // Gradients of derived tensors are pulled back, and never leave the step.
      if (!name.startsWith('grad:')) this.sums[name] ??= new Float32Array(sizeOf(shape))
    }
    const runner = { step, flops: programFlops(program) }
    this.runners.set(length, runner)
    return runner
  }
}
