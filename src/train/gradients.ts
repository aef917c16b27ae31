import { programFlops } from '../compile/index.ts'
import type { Executor } from '../executor/executor.ts'
import { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { trainingPrograms } from '../model/programs.ts'
import { GlobalNorm } from '../optim/index.ts'
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
}

/** Computes loss and gradients of batches. */
export class GradientComputer {
  /** Of one sequence, forward and backward. */
  readonly flopsPerSequence: number
  private readonly runner: StepRunner
  private readonly norm: GlobalNorm
  private readonly gradients: Record<string, Float32Array>
  /** Every sum of the Programs that is wanted, by its name there. */
  private readonly sums: Record<string, Float32Array>
  private readonly segments: number

  constructor(
    executor: Executor,
    config: ModelConfig,
    length: number,
    shapes: ParameterStore['shapes'],
    options: { groups?: number } = {},
  ) {
    const programs = trainingPrograms(config, length)
    this.runner = new StepRunner(executor, programs, options)
    this.flopsPerSequence = programFlops(programs.main)
    this.norm = new GlobalNorm(executor, shapes)
    const zeros = Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))] as const)
    this.gradients = Object.fromEntries(zeros)
    const measured = programs.main.sums.filter(({ name }) => !name.startsWith('grad:'))
    this.sums = Object.fromEntries([
      ...zeros.map(([name, gradient]) => [`grad:${name}`, gradient] as const),
      ...measured.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const),
    ])
    this.segments = measured.filter(({ name }) => name.startsWith('stateNorm.')).length
  }

  /** Runs all parts of a batch and sums what they give. */
  async compute(parameters: ParameterStore, parts: readonly MicroBatch[]): Promise<BatchGradients> {
    const { values, version } = parameters
    for (const { count, inputs } of parts) await this.runner.run({ count, parameters: values, inputs, version })
    for (const sum of Object.values(this.sums)) sum.fill(0)
    await this.runner.reduce(this.sums, values)
    const sequences = parts.reduce((total, { count }) => total + count, 0)
    const perSegment = (name: string) =>
      Array.from({ length: this.segments }, (_, s) => Array.from(this.sums[`${name}.${s}`], (x) => x / sequences))
    return {
      loss: this.sums.loss[0],
      gradients: this.gradients,
      gradientNorm: await this.norm.of(this.gradients),
      stateNorm: perSegment('stateNorm'),
      updateNorm: perSegment('updateNorm'),
    }
  }
}
