import type { Executor } from '../executor/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { nextVersion, type ParameterStore } from '../model/parameters.ts'
import { type AdamWSettings, adamw, clipScale, OptimizerRunner } from '../optim/index.ts'
import { RandomStream } from '../tensor/random.ts'
import type { MicroBatch } from '../train/batches.ts'
import { type BatchGradients, GradientComputer } from '../train/gradients.ts'
import type { NamedModel } from './named-model.ts'

/** The sequences of a step. */
export interface StepInputs {
  /** `[count, T]` each; weights sum to 1. */
  readonly inputs: Readonly<Record<'tokens' | 'targets', Int32Array> & { lossWeights: Float32Array }>
  /** Tokens of each sequence that have to be computed; absent where it is all of them. */
  readonly lengths?: readonly number[]
}

/** What a step computes on. */
export interface StepData extends StepInputs {
  readonly parameters: ParameterStore
  /** Number of sequences. */
  readonly count: number
}

/** The weights that a model starts with, and `count` sequences: the model's own, or random tokens that weigh the same. */
export function drawStep(model: NamedModel, count: number, seed: number): StepData {
  const parameters = model.parameters(seed)
  if (model.draw) return { parameters, count, ...model.draw(count, seed) }
  const { length, name, vocabulary } = model
  const stream = new RandomStream(seed, 'bench', name)
  const ids = () => Int32Array.from({ length: count * length }, () => stream.integer(vocabulary))
  const lossWeights = new Float32Array(count * length).fill(1 / (count * length))
  return { parameters, count, inputs: { tokens: ids(), targets: ids(), lossWeights } }
}

/** The first `count` sequences alone. */
export function firstSequences({ parameters, inputs, lengths, count: all }: StepData, count: number): StepData {
  const { tokens, targets, lossWeights } = inputs
  const values = (tokens.length / all) * count
  const own = lossWeights.slice(0, values)
  const total = own.reduce((sum, weight) => sum + weight, 0)
  const part = {
    tokens: tokens.slice(0, values),
    targets: targets.slice(0, values),
    lossWeights: own.map((w) => w / total),
  }
  return { parameters, count, inputs: part, lengths: lengths?.slice(0, count) }
}

/** The sequences of each length together, cut to it; the shortest first. */
function byLength({ count, inputs, lengths }: StepData, longest: number): MicroBatch[] {
  const all = lengths ?? new Array<number>(count).fill(longest)
  return [...new Set(all)]
    .sort((a, b) => a - b)
    .map((length) => {
      const alike = all.flatMap((own, b) => (own === length ? [b] : []))
      const cut = <A extends Int32Array | Float32Array>(from: A, into: A): A => {
        for (const [i, b] of alike.entries()) into.set(from.subarray(b * longest, b * longest + length), i * length)
        return into
      }
      const size = alike.length * length
      return {
        length,
        count: alike.length,
        inputs: {
          tokens: cut(inputs.tokens, new Int32Array(size)),
          targets: cut(inputs.targets, new Int32Array(size)),
          lossWeights: cut(inputs.lossWeights, new Float32Array(size)),
        },
      }
    })
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
  private readonly parts: readonly MicroBatch[]
  private readonly computer: GradientComputer
  private readonly optimizer: OptimizerRunner
  private updates = 0

  constructor(
    model: NamedModel,
    private readonly data: StepData,
    executor: Executor,
  ) {
    const { shapes } = data.parameters
    this.parts = byLength(data, model.length)
    this.computer = new GradientComputer(executor, shapes, (length) => new StepRunner(executor, model.programs(length)))
    this.optimizer = new OptimizerRunner(executor, adamw(benchOptimizer), shapes)
    const { flops, tokens } = this.computer.cost(this.parts)
    this.flops = flops
    this.tokens = tokens
  }

  /** Forward, backward and the sum of the gradients; the arrays are the step's own, valid until the next call. */
  gradients(): Promise<BatchGradients> {
    return this.computer.compute(this.data.parameters, this.parts)
  }

  /** A whole training step, as the trainer takes it: the gradients, then clipping and AdamW, which change the weights. */
  async train(): Promise<void> {
    const { parameters } = this.data
    const { gradients, gradientNorm } = await this.gradients()
    const { learningRate, clip } = benchOptimizer
    const scale = clipScale(gradientNorm, clip)
    const step = ++this.updates
    await this.optimizer.update({ parameters: parameters.values, gradients, learningRate, step, scale })
    parameters.version = nextVersion()
  }
}
