/**
 * One looped layer that computes what a transformer of many layers computes (Saunshi et al. 2025, arXiv 2502.17416,
 * Theorem 5.2). Its state is x, then for every distinct layer r the switch 1 − e_r (0 while r is at work), then the
 * loop ℓ, then a flag that is 1 on the dummy token. L effective layers, R distinct ones.
 */
import { type ModelConfig, modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { matrixTimes, WeightBlocks } from './weight-blocks.ts'

/**
 * Subtracted from what is switched off; beyond any score or pre-activation of a model. A switch is exactly 0 or 1, so
 * that what is on is not touched at all.
 */
export const off = 2 ** 30

/** Beyond it the loop counter's sums, at most 4 · L² / 2, are no longer exact in f32. */
const maxLoops = 2896

/**
 * The model of one layer, looped L times, that gives the logits of `model` (L effective layers, of which R are distinct)
 * at position i + 1 of the dummy token followed by the sequence. The dummy's id is the original's vocabulary size, and
 * the model never predicts it. Loops beyond L change nothing.
 *
 * Width d + R + 2 and R · H heads are the theorem's; the feed-forward part has R · h + R + L + 1 units, of which the
 * theorem counts R · h + O(L). Heads are one wider in queries and keys: there they find the dummy, whose value is zero.
 *
 * Throws a LatheError unless the model has no norms, ReLU, and, with RoPE, an even dHead (the odd one out does not turn).
 */
export function simulateDepth(model: Model): Model {
  const { config } = model
  refuse(config)
  const { dModel, nHeads, dHead, dFf, vocabulary, maxLength } = config
  const { effectiveDepth: L, distinctLayers: R } = LoopPlan.parse(config.plan)
  const looped = modelConfig({
    ...config,
    plan: `1x${L}`,
    dModel: dModel + R + 2,
    nHeads: R * nHeads,
    dHead: dHead + 1,
    dFf: R * dFf + R + L + 1,
    bias: true,
    finalNorm: false,
    tiedHead: false,
    vocabulary: vocabulary + 1,
    maxLength: maxLength + 1,
  })
  const blocks = new WeightBlocks(looped)
  writeEnds(blocks, model)
  for (let r = 0; r < R; r++) {
    writeAttention(blocks, model, r)
    writeFeedForward(blocks, model, r)
  }
  writeClock(blocks, model)
  return blocks.model
}

/** Throws a LatheError, which begins with `where`, unless the model is of the kind that the theorems are about. */
export function expectTheoremsKind(where: string, { norm, activation }: ModelConfig): void {
  if (norm !== 'none') throw new LatheError(`${where} norm is "${norm}": the theorem has no norms: train with "none"`)
  if (activation !== 'relu')
    throw new LatheError(`${where} activation is "${activation}": the theorem is of ReLU: train with "relu"`)
}

function refuse(config: ModelConfig): void {
  const where = 'simulate-depth:'
  expectTheoremsKind(where, config)
  const { positions, dHead, plan } = config
  if (positions === 'rope' && dHead % 2 === 1)
    throw new LatheError(`${where} dHead is ${dHead}: with RoPE it must be even, or positions "learned" or "none"`)
  const { effectiveDepth } = LoopPlan.parse(plan)
  if (effectiveDepth > maxLoops)
    throw new LatheError(`${where} plan ${plan} has ${effectiveDepth} effective layers: at most ${maxLoops} are exact`)
}

/** Columns of the state of the looped model. */
export const columns = ({ dModel, plan }: ModelConfig) => {
  const R = LoopPlan.parse(plan).distinctLayers
  return { switchOf: (r: number) => dModel + r, loop: dModel + R, dummy: dModel + R + 1 }
}

/** 1 where layer r is the one at work in loop ℓ, else 0. */
const works = (plan: LoopPlan, r: number, loop: number): number =>
  Number(loop < plan.effectiveDepth && plan.weightLayer(loop) === r)

/** Embeddings and head: x stays 0 on the dummy. */
function writeEnds(blocks: WeightBlocks, { config, parameters: { values } }: Model): void {
  const { dModel, vocabulary } = config
  const { switchOf, loop, dummy } = columns(config)
  const plan = LoopPlan.parse(config.plan)
  const [embedding, head] = ['model.embed_tokens.weight', 'lm_head.weight']
  blocks.paste(embedding, 0, 0, values[embedding], dModel)
  for (let token = 0; token <= vocabulary; token++)
    for (let r = 0; r < plan.distinctLayers; r++)
      blocks.row(embedding, token, { [switchOf(r)]: 1 - works(plan, r, 0), [dummy]: Number(token === vocabulary) })
  if (config.positions === 'learned')
    blocks.paste('model.embed_positions.weight', 1, 0, values['model.embed_positions.weight'], dModel)
  blocks.paste(head, 0, 0, values[config.tiedHead ? embedding : head], dModel)
  blocks.row(head, vocabulary, { [loop]: -off })
}

/** The weights and biases of layer r by part; zeros for a bias that the model does not have. */
const partsOf = ({ parameters: { values } }: Model, r: number) => ({
  weight: (part: string) => values[`model.layers.${r}.${part}.weight`],
  bias: (part: string, size: number) => values[`model.layers.${r}.${part}.bias`] ?? new Float32Array(size),
})

/** The heads of layer r, which read the dummy unless its switch is 0. Value and output biases are left out. */
function writeAttention(blocks: WeightBlocks, model: Model, r: number): void {
  const { dModel, nHeads, dHead, dHeadValue } = model.config
  const { switchOf, dummy } = columns(model.config)
  const { weight, bias } = partsOf(model, r)
  const to = 'model.layers.0.self_attn'
  for (let h = 0; h < nHeads; h++) {
    const row = (r * nHeads + h) * (dHead + 1)
    for (const part of ['q_proj', 'k_proj']) {
      const of = (array: Float32Array, width: number) => array.subarray(h * dHead * width, (h + 1) * dHead * width)
      blocks.paste(`${to}.${part}.weight`, row, 0, of(weight(`self_attn.${part}`), dModel), dModel)
      blocks.paste(`${to}.${part}.bias`, row, 0, of(bias(`self_attn.${part}`, nHeads * dHead), 1), 1)
    }
    // A query turns to the dummy when its layer is off, away from it when on; the dummy looks at itself.
    blocks.row(`${to}.q_proj.weight`, row + dHead, { [switchOf(r)]: 2 * off, [dummy]: 2 * off })
    blocks.row(`${to}.q_proj.bias`, row + dHead, { 0: -off })
    blocks.row(`${to}.k_proj.weight`, row + dHead, { [dummy]: 1 })
  }
  const width = nHeads * dHeadValue
  blocks.paste(`${to}.v_proj.weight`, r * width, 0, weight('self_attn.v_proj'), dModel)
  blocks.paste(`${to}.o_proj.weight`, 0, r * width, weight('self_attn.o_proj'), width)
}

/**
 * The units of layer r, which are 0 unless its switch is. What the layer's value and output biases add to x,
 * c = W_o b_v + b_o for every real token, goes into their biases, so that the dummy's value is exactly zero.
 */
function writeFeedForward(blocks: WeightBlocks, model: Model, r: number): void {
  const { dModel, nHeads, dHeadValue, dFf, plan } = model.config
  const { switchOf, dummy } = columns(model.config)
  const { weight, bias } = partsOf(model, r)
  const [up, down] = ['mlp.up_proj', 'mlp.down_proj']
  const to = 'model.layers.0'
  const mixed = matrixTimes(weight('self_attn.o_proj'), bias('self_attn.v_proj', nHeads * dHeadValue))
  const c = bias('self_attn.o_proj', dModel).map((b, i) => b + mixed[i])
  const shift = matrixTimes(weight(up), c)
  const upBias = bias(up, dFf).map((b, i) => b + shift[i])
  const downBias = bias(down, dModel).map((b, i) => b + c[i])

  blocks.paste(`${to}.${up}.weight`, r * dFf, 0, weight(up), dModel)
  blocks.paste(`${to}.${up}.bias`, r * dFf, 0, upBias, 1)
  blocks.paste(`${to}.${down}.weight`, 0, r * dFf, weight(down), dFf)
  for (let unit = r * dFf; unit < (r + 1) * dFf; unit++)
    blocks.row(`${to}.${up}.weight`, unit, { [switchOf(r)]: -off, [dummy]: -off })
  // The unit that is 1 while r is at work: its output weights are a bias of that layer alone.
  blocks.unit(`${to}.mlp`, LoopPlan.parse(plan).distinctLayers * dFf + r, {
    reads: { [switchOf(r)]: -1, [dummy]: -1 },
    bias: 1,
    writes: { ...Array.from(downBias) },
  })
}

/**
 * The units that count loops and set the switches of the next one. A switch changes by Δ_r(ℓ) = e_r(ℓ) − e_r(ℓ + 1),
 * which over whole ℓ is the sum of [ℓ − i]₊ weighted by its second differences, i = 0 … L: whole numbers, and exact.
 * (The paper sums hats [ℓ−i+1]₊ − 2[ℓ−i]₊ + [ℓ−i−1]₊ and halves them, but a hat is 1 at its tip already.)
 */
function writeClock(blocks: WeightBlocks, { config }: Model): void {
  const plan = LoopPlan.parse(config.plan)
  const { effectiveDepth: L, distinctLayers: R } = plan
  const { switchOf, loop } = columns(config)
  const mlp = 'model.layers.0.mlp'
  const distinct = Array.from({ length: R }, (_, r) => r)
  const change = (r: number, i: number) => works(plan, r, Math.max(i, 0)) - works(plan, r, Math.max(i, 0) + 1)
  const bend = (r: number, i: number) => change(r, i + 1) - 2 * change(r, i) + change(r, i - 1)
  for (let i = 0; i <= L; i++) {
    const writes = Object.fromEntries(distinct.map((r) => [switchOf(r), bend(r, i)]))
    blocks.unit(mlp, R * (config.dFf + 1) + i, { reads: { [loop]: 1 }, bias: -i, writes })
  }
  for (const r of distinct) blocks.row(`${mlp}.down_proj.bias`, switchOf(r), { 0: change(r, 0) })
  blocks.row(`${mlp}.down_proj.bias`, loop, { 0: 1 })
}
