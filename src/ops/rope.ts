import type { Tensor } from '../graph/graph.ts'
import type { Values } from '../tensor/type.ts'
import { apply, type Op, shapeError } from './op.ts'

/**
 * Turns each pair (i, i + half) of each of H heads by position · base^(−i/half) (Su et al. 2021, arXiv 2104.09864, §3.4.2);
 * `direction` −1 turns back. Base 0 turns nothing.
 */
export function rotate(
  x: Values,
  H: number,
  base: number,
  position: (row: number) => number,
  direction: 1 | -1,
): Float32Array {
  const out = Float32Array.from(x.data)
  const [rows, width] = x.shape
  const K = width / H
  const half = Math.floor(K / 2)
  if (!base) return out
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < half; i++) {
      const angle = direction * position(r) * base ** (-i / half)
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      for (let o = r * width + i; o < (r + 1) * width; o += K) {
        const [a, b] = [x.data[o], x.data[o + half]]
        out[o] = a * c - b * s
        out[o + half] = a * s + b * c
      }
    }
  return out
}

export const ropeOp: Op = {
  name: 'rope',
  infer(inputs, { nHeads, base }) {
    const [x, start] = inputs
    const fits =
      x.shape.length === 2 &&
      x.dtype === 'f32' &&
      x.shape[1] % (nHeads as number) === 0 &&
      start.dtype === 'i32' &&
      start.shape.length === 0
    if (!((base as number) > 0)) throw shapeError('rope', inputs, `a base above 0, not ${base}`)
    if (!fits) throw shapeError('rope', inputs, `f32 x [T, H·K] with H = ${nHeads}, and an i32 scalar`)
    return [x]
  },
  vjp({ inputs: [, start], cotangents: [ct], attributes }) {
    return [apply(ropeOp, [ct!, start], { ...attributes, back: !attributes.back })[0], undefined]
  },
  kernel([x, start], [y], { nHeads, base, back }) {
    y.data.set(rotate(x, nHeads as number, base as number, (row) => start.data[0] + row, back ? -1 : 1))
  },
}

/** Rotary positions of rows `[T, H·K]` that stand at `start`, start + 1 …, as `attention` turns queries and keys; `base` > 0. */
export const rope = (x: Tensor, start: Tensor, { nHeads, base }: { nHeads: number; base: number }): Tensor =>
  apply(ropeOp, [x, start], { nHeads, base, back: false })[0]
