/**
 * Whether a construction does what its theorem says. T positions, d columns of the state, H heads of K dimensions.
 */
import type { Executor } from '../executor/executor.ts'
import type { Model } from '../model/model-folder.ts'
import { type Construction, lettersOf, withDummyFirst } from './construction.ts'
import { predictions, readLoops } from './logits.ts'

/** A size as the theorem states it, and as the built model has it. */
export interface Size {
  readonly published: number | string
  readonly built: number
}

export interface Check {
  readonly instances: number
  /** Instances that are right wherever something is to be said. */
  readonly exact: number
  readonly loops: number
  readonly sizes: Readonly<Record<string, Size>>
  /** In nats, over the heads, loops and queries of the first instances; see `smallestGap`. */
  readonly smallestGap: number
}

const instancesForGap = 4

/** Runs random instances, or all where there are fewer, looped as built or otherwise. */
export async function checkConstruction(
  { model, problem, plan, sizes }: Construction,
  options: { executor: Executor; instances: number; seed: number; loops?: number },
): Promise<Check> {
  const { executor, instances, seed, loops = plan.effectiveDepth } = options
  const { n, letters } = problem
  const sequences = lettersOf(problem, instances, seed)
  const tokens = withDummyFirst(sequences, letters)
  const looped = { ...model, config: { ...model.config, plan: plan.withLoops(loops).toString() } }
  const said = await predictions(looped, executor, tokens, n + 1)
  const isExact = (sequence: Int32Array, b: number) =>
    problem.answers(sequence).every((answer, i) => answer < 0 || answer === said[b * (n + 1) + i + 1])
  return {
    instances: sequences.length,
    exact: sequences.filter(isExact).length,
    loops,
    sizes,
    smallestGap: await smallestGap(model, executor, tokens.subarray(0, instancesForGap * (n + 1)), n + 1),
  }
}

/** The state `[T, d]` before the first loop and after each, of tokens `[B, T]`: f32`[B][loops + 1]`. */
export async function statesOf(model: Model, executor: Executor, tokens_BT: Int32Array, T: number) {
  const { config, parameters } = model
  const size = T * config.dModel
  const after = await readLoops(model, executor, tokens_BT, T, (state) => state)
  const count = tokens_BT.length / T
  const loops = after.length / (count * size)
  const { 'model.embed_tokens.weight': words, 'model.embed_positions.weight': places } = parameters.values
  return Array.from({ length: count }, (_, b) => {
    const embedded = Float32Array.from({ length: size }, (_, at) => {
      const [t, c] = [Math.floor(at / config.dModel), at % config.dModel]
      return words[tokens_BT[b * T + t] * config.dModel + c] + (places?.[at] ?? 0)
    })
    const looped = Array.from({ length: loops }, (_, i) =>
      after.subarray((b * loops + i) * size, (b * loops + i + 1) * size),
    )
    return [embedded, ...looped]
  })
}

/**
 * By how much, in nats, a head's largest score exceeds the next that is not meant to share with it: the least over
 * instances, loops, heads and queries. Scores within 1 of the largest count as sharing.
 */
export async function smallestGap(model: Model, executor: Executor, tokens_BT: Int32Array, T: number): Promise<number> {
  const instances = await statesOf(model, executor, tokens_BT, T)
  const gaps = instances.flatMap((states) => states.slice(0, -1).map((state) => gapOf(model, state, T)))
  return Math.min(...gaps)
}

/** The queries (or keys, of `k`) of a model of one layer at a state `[T, d]`, before any RoPE: f64`[T, H · K]`. */
export function project(
  { config: { nHeads, dHead, dModel: d }, parameters: { values } }: Model,
  part: 'q' | 'k',
  state: Float32Array,
): Float64Array {
  const [weight, bias] = ['weight', 'bias'].map((kind) => values[`model.layers.0.self_attn.${part}_proj.${kind}`])
  const rows = nHeads * dHead
  return Float64Array.from({ length: (state.length / d) * rows }, (_, at) => {
    const [t, row] = [Math.floor(at / rows), at % rows]
    let sum = bias[row]
    for (let c = 0; c < d; c++) sum += weight[row * d + c] * state[t * d + c]
    return sum
  })
}

function gapOf(model: Model, state: Float32Array, T: number): number {
  const { nHeads: H, dHead: K, attentionScale } = model.config
  const [q, k] = [project(model, 'q', state), project(model, 'k', state)]
  let smallest = Number.POSITIVE_INFINITY
  for (let h = 0; h < H; h++)
    for (let i = 0; i < T; i++) {
      const scores = Array.from({ length: i + 1 }, (_, j) => {
        let dot = 0
        for (let c = h * K; c < (h + 1) * K; c++) dot += q[i * H * K + c] * k[j * H * K + c]
        return attentionScale * dot
      })
      const most = Math.max(...scores)
      for (const score of scores) if (score < most - 1) smallest = Math.min(smallest, most - score)
    }
  return smallest
}
