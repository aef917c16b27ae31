import { programFlops } from '../compile/index.ts'
import type { Executor } from '../executor/executor.ts'
import type { StepRunner } from '../executor/step-runner.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterStore } from '../model/parameters.ts'
import { GlobalNorm } from '../optim/index.ts'
import { LoopPlan } from '../plan/index.ts'
import { sizeOf } from '../tensor/type.ts'
import type { MicroBatch } from './batches.ts'
import { compileStep, type RecomputeOptions } from './recompute.ts'

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

/** Computes loss and gradients of batches; compiles for every length of sequence when it first comes. */
export class GradientComputer {
  private readonly runners = new Map<number, { step: StepRunner; flops: number }>()
  private readonly norm: GlobalNorm
  private readonly gradients: Record<string, Float32Array>
  /** Every sum of the Programs that is wanted, by its name there. */
  private readonly sums: Record<string, Float32Array>
  private readonly segments: number

  constructor(
    private readonly executor: Executor,
    private readonly config: ModelConfig,
    shapes: ParameterStore['shapes'],
    private readonly options: RecomputeOptions = {},
  ) {
    const zeros = Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))] as const)
    this.gradients = Object.fromEntries(zeros)
    const { segments } = LoopPlan.parse(config.plan)
    this.segments = segments.length
    const norms = (name: string) => segments.map(({ loops }, s) => [`${name}.${s}`, new Float32Array(loops)] as const)
    this.sums = Object.fromEntries([
      ['loss', new Float32Array(1)] as const,
      ...zeros.map(([name, gradient]) => [`grad:${name}`, gradient] as const),
      ...norms('stateNorm'),
      ...norms('updateNorm'),
    ])
    this.norm = new GlobalNorm(executor, shapes)
  }

  /** Runs all parts of a batch and sums what they give. */
  async compute(parameters: ParameterStore, parts: readonly MicroBatch[]): Promise<BatchGradients> {
    const { values, version } = parameters
    for (const sum of Object.values(this.sums)) sum.fill(0)
    let [sequences, tokens, flops] = [0, 0, 0]
    for (const { count, length, inputs } of parts) {
      const runner = this.runner(length)
      await runner.step.run({ count, parameters: values, inputs, version })
      sequences += count
      tokens += count * length
      flops += count * runner.flops
    }
    for (const length of new Set(parts.map((part) => part.length))) {
      await this.runner(length).step.reduce(this.sums, values)
    }
    const perSegment = (name: string) =>
      Array.from({ length: this.segments }, (_, s) => Array.from(this.sums[`${name}.${s}`], (x) => x / sequences))
    return {
      loss: this.sums.loss[0],
      gradients: this.gradients,
      gradientNorm: await this.norm.of(this.gradients),
      stateNorm: perSegment('stateNorm'),
      updateNorm: perSegment('updateNorm'),
      tokens,
      flops,
    }
  }

  private runner(length: number) {
    const known = this.runners.get(length)
    if (known) return known
    const step = compileStep(this.executor, this.config, length, this.options)
    const runner = { step, flops: programFlops(step.main.program) }
    this.runners.set(length, runner)
    return runner
  }
}
