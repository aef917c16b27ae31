import { programFlops } from '../compile/index.ts'
import type { Executor } from '../executor/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { initialParameters, type ParameterStore } from '../model/parameters.ts'
import { trainingPrograms } from '../model/programs.ts'
import { RandomStream } from '../tensor/random.ts'
import { sizeOf } from '../tensor/type.ts'
import type { NamedModel } from './models.ts'

/** What a step computes on. */
export interface StepData {
  readonly parameters: ParameterStore
  /** Number of sequences. */
  readonly count: number
  /** `[count, T]` each. */
  readonly inputs: Readonly<Record<'tokens' | 'targets', Int32Array> & { lossWeights: Float32Array }>
}

/** The weights that a model starts with, and `count` sequences of random tokens that weigh the same. */
export function drawStep({ config, length, name }: NamedModel, count: number, seed: number): StepData {
  const stream = new RandomStream(seed, 'bench', name)
  const ids = () => Int32Array.from({ length: count * length }, () => stream.integer(config.vocabulary))
  const lossWeights = new Float32Array(count * length).fill(1 / (count * length))
  return { parameters: initialParameters(config, seed), count, inputs: { tokens: ids(), targets: ids(), lossWeights } }
}

export interface LossAndGradients {
  /** Weighted mean cross-entropy, in nats. */
  readonly loss: number
  /** By parameter. */
  readonly gradients: Readonly<Record<string, Float32Array>>
}

/** One training step of a named model: forward, backward, and gradients summed (no optimizer). */
export class BenchStep {
  /** Of matrix products, forward once and backward twice. */
  readonly flops: number
  readonly tokens: number
  private readonly step: StepRunner
  private readonly sums: Readonly<Record<string, Float32Array>>
  private version = 0

  constructor(
    { config, length }: NamedModel,
    private readonly data: StepData,
    executor: Executor,
  ) {
    const programs = trainingPrograms(config, length)
    this.step = new StepRunner(executor, programs)
    const names = Object.entries(data.parameters.shapes).map(([name, shape]) => [`grad:${name}`, shape] as const)
    const zeros = names.map(([name, shape]) => [name, new Float32Array(sizeOf(shape))])
    this.sums = { loss: new Float32Array(1), ...Object.fromEntries(zeros) }
    this.flops = data.count * programFlops(programs.main)
    this.tokens = data.count * length
  }

  /** Runs the step as if its weights were new, and adds to its sums. */
  async run(): Promise<void> {
    const { values } = this.data.parameters
    await this.step.run({ ...this.data, parameters: values, version: this.version++ })
    await this.step.reduce(this.sums, values)
  }

  /** Runs the step once; the arrays are the step's own, valid until its next run. */
  async gradients(): Promise<LossAndGradients> {
    for (const sum of Object.values(this.sums)) sum.fill(0)
    await this.run()
    const names = Object.keys(this.data.parameters.shapes)
    return { loss: this.sums.loss[0], gradients: Object.fromEntries(names.map((n) => [n, this.sums[`grad:${n}`]])) }
  }
}
