/**
 * B instances, T = n + m slots, V token ids of the original.
 */
import type { Executor } from '../executor/executor.ts'
import { parameter, type Tensor } from '../graph/graph.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { matmul } from '../ops/index.ts'
import { LoopPlan } from '../plan/index.ts'
import type { Size } from './check.ts'
import { best, logitsOf, readLoops } from './logits.ts'
import { type ChainShape, resolution, simulateCot } from './simulate-cot.ts'

export interface CotCheck {
  readonly instances: number
  /** Instances whose slots hold, after every loop t, the prompt, the first t greedy tokens, and dummies. */
  readonly exact: number
  readonly loops: number
  /** Instances whose whole chain stands one loop early. */
  readonly exactOneShort: number
  readonly sizes: Readonly<Record<string, Size>>
  /** Between the two largest logits of the original, over all tokens of all chains. */
  readonly smallestGap: number
  /** The instances with a gap below the resolution of the construction: their chains may differ. */
  readonly unresolved: readonly number[]
  /** What the original writes, `[B, m]`. */
  readonly chains: Int32Array
}

/** Greedy tokens `[B, m]` after prompts `[B, n]`, one at a time, and for each chain the smallest gap of its logits. */
export async function greedyChains(model: Model, executor: Executor, prompts_Bn: Int32Array, { n, m }: ChainShape) {
  const { vocabulary: V } = model.config
  const B = prompts_Bn.length / n
  const chains = Array.from({ length: B }, (_, i) => [...prompts_Bn.subarray(i * n, (i + 1) * n)])
  const gaps = new Array<number>(B).fill(Number.POSITIVE_INFINITY)
  for (let T = n; T < n + m; T++) {
    const logits = await logitsOf(model, executor, Int32Array.from(chains.flat()), T)
    for (const [i, chain] of chains.entries()) {
      const { token, gap } = best(logits.subarray((i * T + T - 1) * V, (i + 1) * T * V))
      chain.push(token)
      gaps[i] = Math.min(gaps[i], gap)
    }
  }
  return { tokens: Int32Array.from(chains.flatMap((chain) => chain.slice(n))), gaps }
}

/** The token that the head reads in every slot after every loop, i32`[B, loops, T]`, of tokens `[B, T]`. */
export async function latentTokens(
  model: Model,
  executor: Executor,
  tokens_BT: Int32Array,
  T: number,
): Promise<Int32Array> {
  const { vocabulary, dModel } = model.config
  const head = () => parameter('lm_head.weight', [vocabulary, dModel])
  const read = (state: Tensor) => matmul(state, head(), { transposeB: true })
  const logits = await readLoops(model, executor, tokens_BT, T, read)
  return Int32Array.from({ length: logits.length / vocabulary }, (_, row) => {
    return best(logits.subarray(row * vocabulary, (row + 1) * vocabulary)).token
  })
}

/**
 * Builds the looped model of `model` and replays the greedy chains of the given prompts `[B, n]`, both on `executor`.
 * Throws the LatheErrors of `simulateCot`.
 */
export async function checkSimulateCot(
  model: Model,
  options: ChainShape & { executor: Executor; prompts: Int32Array },
): Promise<CotCheck> {
  const { executor, prompts, n, m } = options
  const { vocabulary: V } = model.config
  const [instances, T] = [prompts.length / n, n + m]
  const looped = simulateCot(model, options)
  const { tokens, gaps } = await greedyChains(model, executor, prompts, options)

  /** What the slots should hold after t loops. */
  const slots = (i: number, t: number) => {
    const written = [...prompts.subarray(i * n, (i + 1) * n), ...tokens.subarray(i * m, i * m + t)]
    return [...written, ...new Array<number>(m - t).fill(V)]
  }
  const all = Array.from({ length: instances }, (_, i) => i)
  const start = Int32Array.from(all.flatMap((i) => slots(i, 0)))
  const latent = await latentTokens(looped, executor, start, T)
  const holds = (i: number, loop: number, wanted: readonly number[]) =>
    wanted.every((token, slot) => latent[(i * m + loop - 1) * T + slot] === token)

  const loops = Array.from({ length: m }, (_, t) => t + 1)
  return {
    instances,
    exact: all.filter((i) => loops.every((t) => holds(i, t, slots(i, t)))).length,
    loops: m,
    exactOneShort: m > 1 ? all.filter((i) => holds(i, m - 1, slots(i, m))).length : 0,
    sizes: sizesOf(model.config, looped.config, options),
    smallestGap: Math.min(...gaps),
    unresolved: all.filter((i) => gaps[i] < resolution),
    chains: tokens,
  }
}

function sizesOf(original: ModelConfig, looped: ModelConfig, { n, m }: ChainShape): Record<string, Size> {
  const { effectiveDepth: L } = LoopPlan.parse(original.plan)
  const { dModel, vocabulary } = original
  const { distinctLayers, effectiveDepth } = LoopPlan.parse(looped.plan)
  return {
    loops: { published: m, built: effectiveDepth / distinctLayers },
    layers: { published: `${L} + O(1)`, built: distinctLayers },
    dModel: { published: `${dModel} + O(log ${n + m})`, built: looped.dModel },
    nHeads: { published: 'not stated', built: looped.nHeads },
    dFf: { published: 'not stated', built: looped.dFf },
    dHead: { published: 'not stated', built: looped.dHead },
    vocabulary: { published: vocabulary + 1, built: looped.vocabulary },
  }
}
