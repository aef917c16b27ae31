/**
 * A small chain of thought to simulate: after n digits come their running sums modulo q, one a step, so that no step is
 * harder than one addition. The task is ours; the paper has no example for its Theorem 5.4.
 */
import type { Executor } from '../executor/executor.ts'
import { modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters, nextVersion } from '../model/parameters.ts'
import { adamw, learningRate, OptimizerRunner } from '../optim/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { GradientComputer } from '../train/gradients.ts'
import { compileStep } from '../train/recompute.ts'

export interface RunningSums {
  /** Digits, and as many sums. */
  readonly n: number
  /** Digits are 0 … q − 1. */
  readonly q: number
}

/** Random digits `[count, n]`. */
export function drawDigits({ n, q }: RunningSums, count: number, random: RandomStream): Int32Array {
  return Int32Array.from({ length: count * n }, () => random.integer(q))
}

/** Running sums modulo q of each row of digits `[B, n]`. */
export function runningSums(digits_Bn: Int32Array, { n, q }: RunningSums): Int32Array {
  const sums = Int32Array.from(digits_Bn)
  for (let i = 0; i < sums.length; i++) if (i % n > 0) sums[i] = (sums[i] + sums[i - 1]) % q
  return sums
}

const batch = 64

/** Digits and sums but the last `[B, 2n − 1]`, each sum the target of the token before it. */
function supervise(digits: Int32Array, task: RunningSums) {
  const { n } = task
  const [B, T] = [digits.length / n, 2 * n - 1]
  const sums = runningSums(digits, task)
  const [tokens, targets] = [new Int32Array(B * T), new Int32Array(B * T).fill(-1)]
  for (let i = 0; i < B; i++) {
    tokens.set(digits.subarray(i * n, (i + 1) * n), i * T)
    tokens.set(sums.subarray(i * n, (i + 1) * n - 1), i * T + n)
    targets.set(sums.subarray(i * n, (i + 1) * n), i * T + n - 1)
  }
  return { tokens, targets, lossWeights: Float32Array.from(targets, (target) => (target < 0 ? 0 : 1 / (B * n))) }
}

/** Trains a model of the theorem's kind (no norms, ReLU, learned positions) to write running sums. */
export async function trainRunningSums(
  task: RunningSums,
  { executor, seed, steps, plan = '2' }: { executor: Executor; seed: number; steps: number; plan?: string },
): Promise<Model> {
  const { n, q } = task
  const widths = { dModel: 32, nHeads: 2, dFf: 64, vocabulary: q, maxLength: 2 * n }
  const config = modelConfig({ ...widths, plan, norm: 'none', activation: 'relu', positions: 'learned', bias: true })
  const parameters = initialParameters(config, seed)
  const gradients = new GradientComputer(executor, parameters.shapes, (length) => compileStep(executor, config, length))
  const settings = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 }
  const optimizer = new OptimizerRunner(executor, adamw(settings), parameters.shapes)
  const random = new RandomStream(seed, 'theory', 'running sums')
  for (let step = 1; step <= steps; step++) {
    const inputs = supervise(drawDigits(task, batch, random), task)
    const found = await gradients.compute(parameters, [{ count: batch, length: 2 * n - 1, inputs }])
    const rate = 3e-3 * learningRate({ name: 'cosine', warmup: steps / 20, final: 0 }, step, steps)
    await optimizer.update({
      parameters: parameters.values,
      gradients: found.gradients,
      learningRate: rate,
      step,
      scale: 1,
    })
    parameters.version = nextVersion()
  }
  return { config, parameters }
}
