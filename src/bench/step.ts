import { programFlops } from '../compile/index.ts'
import type { Executor } from '../executor/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { nextVersion, type ParameterStore } from '../model/parameters.ts'
import { type AdamWSettings, adamw, clipScale, GlobalNorm, OptimizerRunner } from '../optim/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { sizeOf } from '../tensor/type.ts'
import type { NamedModel } from './named-model.ts'

/** What a step computes on. */
export interface StepData {
  readonly parameters: ParameterStore
  /** Number of sequences. */
  readonly count: number
  /** `[count, T]` each. */
  readonly inputs: Readonly<Record<'tokens' | 'targets', Int32Array> & { lossWeights: Float32Array }>
}

/** The weights that a model starts with, and `count` sequences of random tokens that weigh the same. */
export function drawStep(model: NamedModel, count: number, seed: number): StepData {
  const { length, name, vocabulary } = model
  const stream = new RandomStream(seed, 'bench', name)
  const ids = () => Int32Array.from({ length: count * length }, () => stream.integer(vocabulary))
  const lossWeights = new Float32Array(count * length).fill(1 / (count * length))
  return { parameters: model.parameters(seed), count, inputs: { tokens: ids(), targets: ids(), lossWeights } }
}

/** The first `count` sequences alone, which weigh the same together. */
export function firstSequences({ parameters, inputs, count: all }: StepData, count: number): StepData {
  const { tokens, targets, lossWeights } = inputs
  const values = (tokens.length / all) * count
  const weights = lossWeights.slice(0, values).map((weight) => (weight * all) / count)
  const part = { tokens: tokens.slice(0, values), targets: targets.slice(0, values), lossWeights: weights }
  return { parameters, count, inputs: part }
}

export interface LossAndGradients {
  /** Weighted mean cross-entropy, in nats. */
  readonly loss: number
  /** By parameter. */
  readonly gradients: Readonly<Record<string, Float32Array>>
}

/** How every step updates its weights, ours and a peer's: AdamW as recipes have it by default, at a small fixed rate. */
export const benchOptimizer: AdamWSettings & { readonly learningRate: number; readonly clip: number } = {
  learningRate: 1e-4,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0,
  clip: 1,
}

/** The training step of a named model, on the same data again and again. */
export class BenchStep {
  /** Of matrix products, forward once and backward twice. */
  readonly flops: number
  readonly tokens: number
  private readonly step: StepRunner
  private readonly sums: Readonly<Record<string, Float32Array>>
  private readonly gradientArrays: Readonly<Record<string, Float32Array>>
  private readonly norm: GlobalNorm
  private readonly optimizer: OptimizerRunner
  private updates = 0

  constructor(
    model: NamedModel,
    private readonly data: StepData,
    executor: Executor,
  ) {
    const programs = model.programs()
    this.step = new StepRunner(executor, programs)
    const { shapes } = data.parameters
    const zeros = Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))] as const)
    this.gradientArrays = Object.fromEntries(zeros)
    const sums = zeros.map(([name, gradient]) => [`grad:${name}`, gradient])
    this.sums = { loss: new Float32Array(1), ...Object.fromEntries(sums) }
    this.norm = new GlobalNorm(executor, shapes)
    this.optimizer = new OptimizerRunner(executor, adamw(benchOptimizer), shapes)
    this.flops = data.count * programFlops(programs.main)
    this.tokens = data.count * model.length
  }

  /** Forward, backward and the sum of the gradients; the arrays are the step's own, valid until the next call. */
  async gradients(): Promise<LossAndGradients> {
    const { values, version } = this.data.parameters
    for (const sum of Object.values(this.sums)) sum.fill(0)
    await this.step.run({ ...this.data, parameters: values, version })
    await this.step.reduce(this.sums, values)
    return { loss: this.sums.loss[0], gradients: this.gradientArrays }
  }

  /** A whole training step, as the trainer takes it: the gradients, then clipping and AdamW, which change the weights. */
  async train(): Promise<void> {
    const { parameters } = this.data
    const { gradients } = await this.gradients()
    const { learningRate, clip } = benchOptimizer
    const scale = clipScale(await this.norm.of(gradients), clip)
    const step = ++this.updates
    await this.optimizer.update({ parameters: parameters.values, gradients, learningRate, step, scale })
    parameters.version = nextVersion()
  }
}
