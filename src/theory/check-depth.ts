/**
 * B instances of T tokens each, V token ids.
 */
import type { Executor } from '../executor/executor.ts'
import { type ModelConfig, type ModelSettings, modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters } from '../model/parameters.ts'
import { LoopPlan } from '../plan/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { best, logitsOf } from './logits.ts'
import { simulateDepth } from './simulate-depth.ts'

/** A size as the theorem states it, and as the built model has it. */
export interface Size {
  readonly published: number | string
  readonly built: number
}

export interface DepthCheck {
  readonly instances: number
  /** Instances whose logits are within `tolerance` and whose arg-max is the original's, at every position. */
  readonly exact: number
  readonly loops: number
  /** The same count one loop short; absent where there is one loop. */
  readonly exactOneShort?: number
  readonly sizes: Readonly<Record<string, Size>>
  /** Between the two largest logits of the original, over all positions. */
  readonly smallestGap: number
  /** Between a logit of the original and the looped model's. */
  readonly largestDifference: number
}

/** How far two logits may be apart. */
export const tolerance = 1e-4

/** What a random model differs in from a small one. */
export type RandomSettings = Partial<ModelSettings> & Pick<ModelSettings, 'plan'>

/** A small model of the theorem's kind with initial weights, and biases N(0, 0.3²), so that they are tried too. */
export function randomOriginal(settings: RandomSettings, seed = 0): Model {
  const small = {
    dModel: 8,
    nHeads: 2,
    dFf: 16,
    vocabulary: 6,
    maxLength: 8,
    norm: 'none',
    activation: 'relu',
  } as const
  const config = modelConfig({ ...small, bias: true, ...settings })
  const parameters = initialParameters(config, seed)
  const random = new RandomStream(seed, 'theory', 'biases')
  for (const [name, values] of Object.entries(parameters.values))
    if (name.endsWith('.bias')) values.set(values.map(() => 0.3 * random.normal()))
  return { config, parameters }
}

/**
 * Builds the looped model of `model` and compares the two on random sequences as long as it takes, both on `executor`.
 * Throws the LatheErrors of `simulateDepth`.
 */
export async function checkSimulateDepth(
  model: Model,
  options: { executor: Executor; instances: number; seed: number },
): Promise<DepthCheck> {
  const { executor, instances, seed } = options
  const { vocabulary: V, maxLength: T } = model.config
  const looped = simulateDepth(model)
  const random = new RandomStream(seed, 'theory', 'simulate-depth')
  const tokens = Int32Array.from({ length: instances * T }, () => random.integer(V))
  const behindDummy = new Int32Array(instances * (T + 1)).fill(V)
  for (let b = 0; b < instances; b++) behindDummy.set(tokens.subarray(b * T, (b + 1) * T), b * (T + 1) + 1)
  const original = await logitsOf(model, executor, tokens, T)
  const compared = async (config: ModelConfig) =>
    compare(original, await logitsOf({ ...looped, config }, executor, behindDummy, T + 1), { T, V })

  const loops = LoopPlan.parse(model.config.plan).effectiveDepth
  const short = `1x${loops - 1}`
  return {
    instances,
    loops,
    ...(await compared(looped.config)),
    ...(loops > 1 ? { exactOneShort: (await compared({ ...looped.config, plan: short })).exact } : {}),
    sizes: sizesOf(model.config, looped.config),
  }
}

/** Original logits `[B, T, V]` against those of the looped model, `[B, T + 1, V + 1]`. */
function compare(original: Float32Array, looped: Float32Array, { T, V }: { T: number; V: number }) {
  const instances = original.length / (T * V)
  let [exact, smallestGap, largestDifference] = [0, Number.POSITIVE_INFINITY, 0]
  for (let b = 0; b < instances; b++) {
    let [same, furthest] = [true, 0]
    for (let t = 0; t < T; t++) {
      const wanted = original.subarray((b * T + t) * V, (b * T + t + 1) * V)
      const row = b * (T + 1) + t + 1
      const got = looped.subarray(row * (V + 1), (row + 1) * (V + 1))
      const { token, gap } = best(wanted)
      same &&= best(got).token === token
      smallestGap = Math.min(smallestGap, gap)
      wanted.forEach((z, v) => {
        furthest = Math.max(furthest, Math.abs(z - got[v]))
      })
    }
    if (same && furthest <= tolerance) exact++
    largestDifference = Math.max(largestDifference, furthest)
  }
  return { exact, smallestGap, largestDifference }
}

function sizesOf({ plan, dModel, nHeads, dHead, dFf }: ModelConfig, looped: ModelConfig): Record<string, Size> {
  const { effectiveDepth: L, distinctLayers: R } = LoopPlan.parse(plan)
  return {
    loops: { published: L, built: LoopPlan.parse(looped.plan).effectiveDepth },
    layers: { published: 1, built: LoopPlan.parse(looped.plan).distinctLayers },
    dModel: { published: dModel + R + 2, built: looped.dModel },
    nHeads: { published: R * nHeads, built: looped.nHeads },
    dFf: { published: `${R * dFf} + O(${L})`, built: looped.dFf },
    dHead: { published: `not stated, original ${dHead}`, built: looped.dHead },
  }
}
