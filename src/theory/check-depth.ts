/**
 * B instances of T tokens each, V token ids.
 */
import type { Executor } from '../executor/executor.ts'
import { type ModelConfig, type ModelSettings, modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters } from '../model/parameters.ts'
import { LoopPlan } from '../plan/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { project, type Size, statesOf } from './check.ts'
import { withDummyFirst } from './construction.ts'
import { best, logitsOf } from './logits.ts'
import { off, simulateDepth } from './simulate-depth.ts'

export interface DepthCheck {
  readonly instances: number
  /** Instances whose logits are within `tolerance` and whose arg-max is the original's, at every position. */
  readonly exact: number
  readonly loops: number
  /** The same count one loop short; absent where there is one loop. */
  readonly exactOneShort?: number
  readonly sizes: Readonly<Record<string, Size>>
  /** Between the dummy and everything else, in nats, for every head in every loop of the first sequence. */
  readonly smallestGap: number
  /** Between the two largest logits of the original, over all positions. */
  readonly smallestLogitGap: number
  /** Between a logit of the original and the looped model's. */
  readonly largestDifference: number
}

/** How far two logits may be apart. */
export const tolerance = 1e-4

/** Plain models of every kind that the theorem covers, to be given random weights. */
export const originals: readonly RandomSettings[] = [
  { plan: '1' },
  { plan: '2' },
  { plan: '3' },
  { plan: '4' },
  { plan: '5' },
  { plan: '6' },
  { plan: '7' },
  { plan: '8' },
  { plan: '1x5' },
  { plan: '2x3' },
  { plan: '1,2x2' },
  { plan: '2x2,1,1x3' },
  { plan: '2', positions: 'learned' },
  { plan: '1,2x2', positions: 'learned', tiedHead: true },
  { plan: '3', positions: 'none', bias: false },
  { plan: '2x2', attention: 'bidirectional', positions: 'learned' },
  { plan: '3', attention: 'bidirectional' },
  { plan: '2', nHeads: 1, dHead: 5, dHeadValue: 3, positions: 'learned' },
  { plan: '2', nHeads: 4, dHead: 2, dHeadValue: 7, attentionScale: 1.5 },
  { plan: '4', dModel: 5, nHeads: 1, dHead: 4, dFf: 3, vocabulary: 2 },
  { plan: '2', finalNorm: false, dFf: 1 },
  { plan: '1x2', vocabulary: 50, maxLength: 3 },
]

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

/** Random sequences, each as long as the model takes. */
export function randomSequences(
  { vocabulary, maxLength }: ModelConfig,
  { instances, seed }: { instances: number; seed: number },
): Int32Array[] {
  const random = new RandomStream(seed, 'theory', 'simulate-depth')
  const sequence = () => Int32Array.from({ length: maxLength }, () => random.integer(vocabulary))
  return Array.from({ length: instances }, sequence)
}

/**
 * Builds the looped model of `model` and compares the two, both on `executor`, on sequences as long as the model takes.
 * Throws the LatheErrors of `simulateDepth`.
 */
export async function checkSimulateDepth(
  model: Model,
  { executor, sequences }: { executor: Executor; sequences: readonly Int32Array[] },
): Promise<DepthCheck> {
  const { vocabulary: V, maxLength: T } = model.config
  const looped = simulateDepth(model)
  const behindDummy = withDummyFirst(sequences, V)
  const tokens = Int32Array.from(sequences.flatMap((sequence) => [...sequence]))
  const original = await logitsOf(model, executor, tokens, T)
  const compared = async (config: ModelConfig) =>
    compare(original, await logitsOf({ ...looped, config }, executor, behindDummy, T + 1), { T, V })

  const loops = LoopPlan.parse(model.config.plan).effectiveDepth
  const short = `1x${loops - 1}`
  return {
    instances: sequences.length,
    loops,
    ...(await compared(looped.config)),
    ...(loops > 1 ? { exactOneShort: (await compared({ ...looped.config, plan: short })).exact } : {}),
    sizes: sizesOf(model.config, looped.config),
    smallestGap: await dummyGap(looped, executor, behindDummy.slice(0, T + 1)),
  }
}

/**
 * By how much, in nats, a head at least prefers the dummy while its layer is off, or all others while it is on, in one
 * sequence: the coordinate that switches it decides, up to twice the longest query times the longest key beside it.
 */
async function dummyGap(looped: Model, executor: Executor, tokens: Int32Array): Promise<number> {
  const { nHeads, dHead: K, attentionScale } = looped.config
  const [states] = await statesOf(looped, executor, tokens, tokens.length)
  const longest = (part: 'q' | 'k', state: Float32Array, head: number) => {
    const all = project(looped, part, state)
    const lengths = Array.from(tokens, (_, t) => {
      const start = (t * nHeads + head) * K
      return Math.hypot(...all.subarray(start, start + K - 1)) // the last coordinate is the switch
    })
    return Math.max(...lengths)
  }
  const gaps = states
    .slice(0, -1)
    .flatMap((state) =>
      Array.from({ length: nHeads }, (_, h) => off - 2 * longest('q', state, h) * longest('k', state, h)),
    )
  return attentionScale * Math.min(...gaps)
}

/** Original logits `[B, T, V]` against those of the looped model, `[B, T + 1, V + 1]`. */
function compare(original: Float32Array, looped: Float32Array, { T, V }: { T: number; V: number }) {
  const instances = original.length / (T * V)
  let [exact, smallestLogitGap, largestDifference] = [0, Number.POSITIVE_INFINITY, 0]
  for (let b = 0; b < instances; b++) {
    let [same, furthest] = [true, 0]
    for (let t = 0; t < T; t++) {
      const wanted = original.subarray((b * T + t) * V, (b * T + t + 1) * V)
      const row = b * (T + 1) + t + 1
      const got = looped.subarray(row * (V + 1), (row + 1) * (V + 1))
      const { token, gap } = best(wanted)
      same &&= best(got).token === token
      smallestLogitGap = Math.min(smallestLogitGap, gap)
      wanted.forEach((z, v) => {
        furthest = Math.max(furthest, Math.abs(z - got[v]))
      })
    }
    if (same && furthest <= tolerance) exact++
    largestDifference = Math.max(largestDifference, furthest)
  }
  return { exact, smallestLogitGap, largestDifference }
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
