/**
 * A looped layer written down head by head and unit by unit. d columns of the state, T positions, V token ids.
 */
import { modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { type Entries, WeightBlocks } from './weight-blocks.ts'

/** An attention head: its scores are a sum of products, one a dimension, and what it finds it adds elsewhere. */
export interface Head {
  readonly scores: readonly { readonly query: Entries; readonly bias?: number; readonly key: Entries }[]
  /** From a column of the key's position to a column of the query's. */
  readonly copies: readonly (readonly [from: number, to: number])[]
}

/** A hidden unit: relu(reads · state + bias), times `writes`, is added to the state. */
export interface Unit {
  readonly reads: Entries
  readonly bias?: number
  readonly writes: Entries
}

export interface LoopedLayer {
  readonly loops: number
  readonly width: number
  readonly heads: readonly Head[]
  readonly units: readonly Unit[]
  /** Embeddings: a row a token id, and a row a position. */
  readonly tokens: readonly Entries[]
  readonly positions: readonly Entries[]
  /** Logits: a row a token id. */
  readonly head: readonly Entries[]
}

/** The code of a number, bit by bit ±1, as entries from `column` on. */
export const code = (x: number, bits: number, column: number): Entries =>
  Object.fromEntries(Array.from({ length: bits }, (_, j) => [column + j, (x >> j) & 1 ? 1 : -1]))

/** Entries times a number. */
export const scaled = (entries: Entries, factor: number): Entries =>
  Object.fromEntries(Object.entries(entries).map(([column, value]) => [column, factor * value]))

/** So many columns from each of two places on, in pairs. */
export const columnPairs = (count: number, from: number, to: number): [from: number, to: number][] =>
  Array.from({ length: count }, (_, j) => [from + j, to + j])

/** Two units that add what a column holds, of either sign, times `writes`; `gate` is read beside it. */
export const pass = (column: number, writes: Entries, gate: Entries = {}): Unit[] => [
  { reads: { ...gate, [column]: 1 }, writes },
  { reads: { ...gate, [column]: -1 }, writes: scaled(writes, -1) },
]

/** The model of a layer without norms, causal, scores not scaled, positions learned. */
export function buildLooped({ loops, width, heads, units, tokens, positions, head }: LoopedLayer): Model {
  const blocks = new WeightBlocks(
    modelConfig({
      plan: `1x${loops}`,
      dModel: width,
      nHeads: heads.length,
      dHead: Math.max(...heads.map(({ scores }) => scores.length)),
      dHeadValue: Math.max(...heads.map(({ copies }) => copies.length)),
      dFf: units.length,
      norm: 'none',
      activation: 'relu',
      positions: 'learned',
      bias: true,
      finalNorm: false,
      attentionScale: 1,
      vocabulary: tokens.length,
      maxLength: positions.length,
    }),
  )
  const write = (name: string, rows: readonly Entries[]) => {
    for (const [row, entries] of rows.entries()) blocks.row(name, row, entries)
  }
  write('model.embed_tokens.weight', tokens)
  write('model.embed_positions.weight', positions)
  write('lm_head.weight', head)
  for (const [h, one] of heads.entries()) writeHead(blocks, h, one)
  for (const [i, unit] of units.entries()) blocks.unit('model.layers.0.mlp', i, unit)
  return blocks.model
}

function writeHead(blocks: WeightBlocks, h: number, { scores, copies }: Head): void {
  const { dHead, dHeadValue } = blocks.model.config
  const attention = 'model.layers.0.self_attn'
  for (const [k, { query, bias = 0, key }] of scores.entries()) {
    blocks.row(`${attention}.q_proj.weight`, h * dHead + k, query)
    blocks.row(`${attention}.q_proj.bias`, h * dHead + k, { 0: bias })
    blocks.row(`${attention}.k_proj.weight`, h * dHead + k, key)
  }
  for (const [v, [from, to]] of copies.entries()) {
    blocks.row(`${attention}.v_proj.weight`, h * dHeadValue + v, { [from]: 1 })
    blocks.row(`${attention}.o_proj.weight`, to, { [h * dHeadValue + v]: 1 })
  }
}
