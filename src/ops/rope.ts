/**
 * Rotary positions (Su et al. 2021, arXiv 2104.09864, §3.4.2). T rows, H heads of width K, in which pairs (i, i + ⌊K/2⌋) turn by
 * position · base^(−i/⌊K/2⌋). What an odd width has left over stays as it is.
 */
import { scopeNow, type Tensor, within } from '../graph/graph.ts'
import { sameShape, type TensorType } from '../tensor/type.ts'
import { apply, type Op, shapeError } from './op.ts'

export interface RopeOptions {
  readonly nHeads: number
  /** Above 0. */
  readonly base: number
  /** i32 scalar: the row of `positions` at which row 0 stands; without those, its position. Default 0. */
  readonly start?: Tensor
  /** i32`[S]`: a position for each row. Default: the row. */
  readonly positions?: Tensor
}

const given = ['start', 'positions'] as const

/** The turns of T rows: the cosines of a row's pairs, then their sines, f32`[T, 2⌊K/2⌋]`. The same for all heads, layers and loops. */
export const ropeTableOp: Op = {
  name: 'ropeTable',
  infer(inputs, attributes) {
    const [T, half] = [attributes.rows as number, attributes.half as number]
    const [start, positions] = optional(inputs, attributes)
    const fits =
      (!start || (start.dtype === 'i32' && sameShape(start.shape, []))) &&
      (!positions || (positions.dtype === 'i32' && positions.shape.length === 1 && positions.shape[0] >= T))
    if (!fits) throw shapeError('rope', inputs, `i32 start [], positions [S], S ≥ ${T}`)
    if (!((attributes.base as number) > 0)) throw shapeError('rope', inputs, `a base above 0, not ${attributes.base}`)
    return [{ shape: [T, 2 * half], dtype: 'f32' }]
  },
  kernel(inputs, [table], attributes) {
    const [start, positions] = optional(inputs, attributes)
    const half = attributes.half as number
    for (let r = 0; r < table.shape[0]; r++)
      for (let i = 0; i < half; i++) {
        const row = (start?.data[0] ?? 0) + r
        const angle = (positions ? positions.data[row] : row) * (attributes.base as number) ** (-i / half)
        table.data[2 * half * r + i] = Math.cos(angle)
        table.data[2 * half * r + half + i] = Math.sin(angle)
      }
  },
}

function optional<T extends TensorType>(inputs: readonly T[], attributes: Readonly<Record<string, unknown>>) {
  let next = 0
  return given.map((name) => (attributes[name] ? inputs[next++] : undefined))
}

/** Rows turned by a table; `back`: the other way. */
export const ropeOp: Op = {
  name: 'rope',
  infer(inputs, { nHeads }) {
    const [{ shape, dtype }, table] = inputs
    const [H, [T, width]] = [nHeads as number, shape]
    const half = Math.floor(width / H / 2)
    const fits = shape.length === 2 && dtype === 'f32' && width % H === 0 && sameShape(table.shape, [T, 2 * half])
    if (!fits) throw shapeError('rope', inputs, `f32 x [T, H·K] with H = ${nHeads}, and turns [T, 2⌊K/2⌋]`)
    return [inputs[0]]
  },
  vjp({ inputs: [, table], cotangents: [ct], attributes }) {
    return [apply(ropeOp, [ct!, table], { ...attributes, back: !attributes.back })[0], undefined]
  },
  kernel([x, table], [y], { nHeads, back }) {
    const [rows, width] = x.shape
    const [K, half] = [width / (nHeads as number), table.shape[1] / 2]
    y.data.set(x.data)
    for (let r = 0; r < rows; r++)
      for (let i = 0; i < half; i++) {
        const [c, s] = [table.data[2 * half * r + i], (back ? -1 : 1) * table.data[2 * half * r + half + i]]
        for (let at = r * width + i; at < (r + 1) * width; at += K) {
          const [a, b] = [x.data[at], x.data[at + half]]
          y.data[at] = a * c - b * s
          y.data[at + half] = a * s + b * c
        }
      }
  },
}

/** Rows `[T, H·K]` turned to their positions, by a table that is made outside of loops where no loop changes it. */
export function rope(x: Tensor, { nHeads, base, ...options }: RopeOptions): Tensor {
  const [rows, width] = x.shape
  const half = Math.floor(width / nHeads / 2)
  if (half === 0) return x
  const names = given.filter((name) => options[name])
  const inputs = names.map((name) => options[name]!)
  const attributes = { base, rows, half, ...Object.fromEntries(names.map((name) => [name, true])) }
  const { root } = scopeNow()
  const outside = inputs.every(({ node }) => node.scope === root)
  const [table] = within(outside ? root : scopeNow(), () => apply(ropeTableOp, inputs, attributes))
  return apply(ropeOp, [x, table], { nHeads, back: false })[0]
}
