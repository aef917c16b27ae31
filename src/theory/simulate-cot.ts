/**
 * A looped model whose every loop writes one more token of a chain of thought (Saunshi et al. 2025, arXiv 2502.17416,
 * Theorem 5.4). The loop's layers are the original's, then three that turn the last state into tokens again.
 *
 * L effective layers, d model width, V vocabulary, n tokens of the prompt, m of the chain; slots 0 … n + m − 1.
 * Numbers are codes of ±1, bit by bit: of slots and of the slot to be written, s = ⌈log2(n + m + 1)⌉ bits; of tokens and
 * the dummy, b = ⌈log2(V + 1)⌉ bits. Sums of code products are s or b where two codes agree, and at least 2 less elsewhere.
 */
import { type ModelConfig, modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { code, columnPairs, pass, scaled, type Unit } from './hand-built.ts'
import { expectTheoremsKind } from './simulate-depth.ts'
import { type Entries, WeightBlocks } from './weight-blocks.ts'

/** Tokens of the prompt, and of the chain that follows it. */
export interface ChainShape {
  readonly n: number
  readonly m: number
}

/** Two logits closer than this count as equal (the paper's 2^−s), and then the chain is not the original's. */
export const resolution = 2 ** -16

/** Softmax of scores 2 · 128 apart is 1 and 0 in f32. */
const sharpness = 128

/** What `simulateCot` needs to know of the original, and where everything stands in the state. */
function layout({ plan, dModel: d, vocabulary: V }: ModelConfig, { n, m }: ChainShape) {
  const s = Math.ceil(Math.log2(n + m + 1))
  const b = Math.ceil(Math.log2(V + 1))
  const [slot, before, writing] = [d, d + s, d + 2 * s]
  const [token, predicted, incoming] = [d + 3 * s, d + 3 * s + b, d + 3 * s + 2 * b]
  const scores = d + 3 * s + 3 * b
  const at = { slot, before, writing, token, predicted, incoming, scores, misses: scores + V }
  return { L: LoopPlan.parse(plan).effectiveDepth, d, V, n, m, s, b, at, width: scores + V + 1 }
}

type Layout = ReturnType<typeof layout>

/**
 * The looped model that, given a prompt of n tokens and m dummies (id V), holds after loop t the first t greedy tokens of
 * `model` in slots n … n + t − 1, and the dummy in the slots after them: its head names the token of each slot itself.
 *
 * L + 3 distinct layers and 3s + 3b + V + 1 more columns: the paper's 3s, and per slot its token, because the layers
 * overwrite the embedding, the predicted and the incoming token, V scores and one count. For a given model all but 3s is
 * a constant.
 *
 * Throws a LatheError unless the model is causal, has no norms and ReLU, does not use RoPE (a learned table has to carry
 * the codes), and holds n + m tokens.
 */
export function simulateCot(model: Model, shape: ChainShape): Model {
  const { config } = model
  refuse(config, shape)
  const l = layout(config, shape)
  const { L, V, n, m, s, b, at } = l
  const parts = [scoreUnits(model, l), decodeUnits(l), tokenUnits(model, l)]
  const blocks = new WeightBlocks(
    modelConfig({
      ...config,
      plan: `${L + parts.length}x${m}`,
      dModel: l.width,
      dHead: Math.max(config.dHead, s),
      dHeadValue: Math.max(config.dHeadValue, b),
      dFf: Math.max(config.dFf, ...parts.map((units) => units.length)),
      positions: 'learned',
      bias: true,
      finalNorm: false,
      tiedHead: false,
      vocabulary: V + 1,
      maxLength: n + m,
    }),
  )
  writeEnds(blocks, model, l)
  for (let layer = 0; layer < L; layer++) copyLayer(blocks, model, layer)
  for (const [i, units] of parts.entries())
    for (const [u, unit] of units.entries()) blocks.unit(`model.layers.${L + i}.mlp`, u, unit)
  blocks.row(`model.layers.${L}.mlp.down_proj.bias`, at.misses, { 0: -s })
  writeShift(blocks, l)
  return blocks.model
}

function refuse(config: ModelConfig, { n, m }: ChainShape): void {
  const where = 'simulate-cot:'
  expectTheoremsKind(where, config)
  const { positions, attention, maxLength } = config
  if (positions === 'rope')
    throw new LatheError(
      `${where} positions are "rope": the looped model needs its table: train with "learned" or "none"`,
    )
  if (attention !== 'causal')
    throw new LatheError(`${where} attention is "${attention}": a chain of thought needs "causal"`)
  if (![n, m].every((x) => Number.isInteger(x) && x >= 1))
    throw new LatheError(`${where} a prompt of ${n} and a chain of ${m} tokens: both are whole numbers from 1`)
  if (n + m > maxLength)
    throw new LatheError(`${where} ${n} + ${m} tokens are more than the model's maxLength ${maxLength}`)
}

/** Row r of a matrix as entries. */
const rowOf = (matrix: Float32Array, r: number, d: number): Entries => ({
  ...Array.from(matrix.subarray(r * d, (r + 1) * d)),
})

/** Every token says its code and that slot n is the next to be written; every slot its own code and the one before. */
function writeEnds(blocks: WeightBlocks, { config, parameters: { values } }: Model, l: Layout): void {
  const { V, n, m, s, b, d, at } = l
  const [tokens, positions, head] = ['model.embed_tokens.weight', 'model.embed_positions.weight', 'lm_head.weight']
  blocks.paste(tokens, 0, 0, values[tokens], d)
  for (let v = 0; v <= V; v++) {
    blocks.row(tokens, v, { ...code(v, b, at.token), ...code(n, s, at.writing) })
    blocks.row(head, v, code(v, b, at.token))
  }
  for (let i = 0; i < n + m; i++) {
    if (config.positions === 'learned') blocks.row(positions, i, rowOf(values[positions], i, d))
    blocks.row(positions, i, { ...code(i, s, at.slot), ...code(Math.max(i - 1, 0), s, at.before) })
  }
}

/** Effective layer ℓ of the original, in the columns of x alone. */
function copyLayer(blocks: WeightBlocks, { config, parameters: { values } }: Model, layer: number): void {
  const { plan, dModel: d, nHeads, dHead, dHeadValue, dFf } = config
  const { dHead: wide, dHeadValue: wideValue } = blocks.model.config
  const [source, target] = [LoopPlan.parse(plan).weightLayer(layer), layer].map((i) => `model.layers.${i}`)
  const of = (part: string) => values[`${source}.${part}`]
  const paste = (part: string, row: number, column: number, block: Float32Array | undefined, columns: number) => {
    if (block) blocks.paste(`${target}.${part}`, row, column, block, columns)
  }
  for (let h = 0; h < nHeads; h++) {
    for (const [part, narrow, width] of [
      ['self_attn.q_proj', dHead, wide],
      ['self_attn.k_proj', dHead, wide],
      ['self_attn.v_proj', dHeadValue, wideValue],
    ] as const) {
      const [start, end] = [h * narrow, (h + 1) * narrow]
      paste(`${part}.weight`, h * width, 0, of(`${part}.weight`).subarray(start * d, end * d), d)
      paste(`${part}.bias`, h * width, 0, of(`${part}.bias`)?.subarray(start, end), 1)
    }
    for (let row = 0; row < d; row++) {
      const start = (row * nHeads + h) * dHeadValue
      const block = of('self_attn.o_proj.weight').subarray(start, start + dHeadValue)
      paste('self_attn.o_proj.weight', row, h * wideValue, block, dHeadValue)
    }
  }
  paste('mlp.up_proj.weight', 0, 0, of('mlp.up_proj.weight'), d)
  paste('mlp.down_proj.weight', 0, 0, of('mlp.down_proj.weight'), dFf)
  for (const part of ['self_attn.o_proj.bias', 'mlp.up_proj.bias', 'mlp.down_proj.bias']) paste(part, 0, 0, of(part), 1)
}

/** How far every logit lies behind others, and in how many bits the slot is the one to be written (s where it is). */
function scoreUnits({ config, parameters: { values } }: Model, { d, V, s, at }: Layout): Unit[] {
  const head = values[config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight']
  const ids = Array.from({ length: V }, (_, v) => v)
  const lead = (w: number, v: number): Entries =>
    Object.fromEntries(Array.from({ length: d }, (_, c) => [c, head[w * d + c] - head[v * d + c]]))
  const behind = ids.flatMap((v) =>
    ids.filter((w) => w !== v).map((w) => ({ reads: lead(w, v), writes: { [at.scores + v]: 1 } })),
  )
  const equalBits = columnPairs(s, at.slot, at.writing).flatMap(([slot, writing]) =>
    [1, -1].map((sign) => ({ reads: { [slot]: sign, [writing]: sign }, writes: { [at.misses]: 0.5 } })),
  )
  return [...behind, ...equalBits]
}

/** The code of the token whose score is zero; scores and x go back to zero, exactly in f32. */
function decodeUnits({ d, V, b, at }: Layout): Unit[] {
  const ofToken = (v: number): Unit[] => [
    { reads: { [at.scores + v]: -1 / resolution }, bias: 1, writes: code(v, b, at.predicted) },
    { reads: { [at.scores + v]: 1 }, writes: { [at.scores + v]: -1 } },
  ]
  return [
    ...Array.from({ length: V }, (_, v) => ofToken(v)).flat(),
    ...Array.from({ length: d }, (_, column) => pass(column, { [column]: -1 })).flat(),
  ]
}

/** One head that fetches what the slot before predicts. */
function writeShift(blocks: WeightBlocks, { L, s, b, at }: Layout): void {
  const { attentionScale } = blocks.model.config
  const attention = `model.layers.${L + 2}.self_attn`
  for (let j = 0; j < s; j++) {
    blocks.row(`${attention}.q_proj.weight`, j, { [at.before + j]: sharpness / attentionScale })
    blocks.row(`${attention}.k_proj.weight`, j, { [at.slot + j]: 1 })
  }
  for (let j = 0; j < b; j++) {
    blocks.row(`${attention}.v_proj.weight`, j, { [at.predicted + j]: 1 })
    blocks.row(`${attention}.o_proj.weight`, at.incoming + j, { [j]: 1 })
  }
}

/** Commits the incoming token in the slot to be written, embeds every slot's token anew, and counts on. */
function tokenUnits({ config, parameters: { values } }: Model, l: Layout): Unit[] {
  const { d, V, n, m, s, b, at } = l
  // Where the slot is not the one to be written, this is below whatever it is added to.
  const gate = { [at.misses]: 2 ** Math.ceil(Math.log2(b * V + 2)) }
  const moveBit = (j: number) => [
    ...pass(at.incoming + j, { [at.token + j]: 1 }, gate),
    ...pass(at.incoming + j, { [at.incoming + j]: -1 }),
    ...pass(at.predicted + j, { [at.predicted + j]: -1 }),
  ]
  const embed = (v: number): Unit[] => {
    const writes = rowOf(values['model.embed_tokens.weight'], v, d)
    return [
      { reads: code(v, b, at.token), bias: 1 - b, writes },
      { reads: { ...code(v, b, at.incoming), ...gate }, bias: 1 - b, writes },
    ]
  }
  const place = (i: number): Unit => {
    return { reads: code(i, s, at.slot), bias: 1 - s, writes: rowOf(values['model.embed_positions.weight'], i, d) }
  }
  // A bit of a counter flips when all bits below it are 1.
  const flip = (j: number): Unit[] => {
    const [below, bit] = [code(2 ** j - 1, j, at.writing), at.writing + j]
    return [1, -1].map((sign) => ({ reads: { ...below, [bit]: -sign }, bias: -j, writes: { [bit]: 2 * sign } }))
  }
  const each = <T>(length: number, of: (i: number) => T) => Array.from({ length }, (_, i) => of(i))
  return [
    { reads: gate, bias: 1, writes: scaled(code(V, b, at.token), -1) },
    { reads: { [at.misses]: -1 }, writes: { [at.misses]: 1 } },
    ...each(b, moveBit).flat(),
    ...each(V, embed).flat(),
    ...(config.positions === 'learned' ? each(n + m, place) : []),
    ...each(s, flip).flat(),
  ]
}
