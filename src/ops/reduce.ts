import type { Tensor } from '../graph/graph.ts'
import { sameShape, sizeOf, type TensorType } from '../tensor/type.ts'
import { broadcastSteps } from './arithmetic.ts'
import { apply, type Op, shapeError } from './op.ts'

function checkBroadcast(op: string, small: TensorType, large: TensorType): void {
  const offset = large.shape.length - small.shape.length
  const fits = offset >= 0 && small.shape.every((s, i) => s === 1 || s === large.shape[offset + i])
  const plain = large.shape.length <= 2 || sizeOf(small.shape) === 1
  if (!fits || !plain || small.dtype !== 'f32' || large.dtype !== 'f32')
    throw shapeError(op, [small, large], 'a shape that broadcasts to the other')
}

export const sumToOp: Op = {
  name: 'sumTo',
  infer([x], { shape }) {
    const type: TensorType = { shape: shape as number[], dtype: 'f32' }
    checkBroadcast('sumTo', type, x)
    return [type]
  },
  vjp: ({ inputs: [x], cotangents: [ct] }) => [broadcastTo(ct!, x.shape)],
  kernel([x], [y]) {
    const columns = x.shape.at(-1) ?? 1
    const step = broadcastSteps(y.shape)
    const sums = new Float64Array(y.data.length)
    for (let r = 0, i = 0; i < x.data.length; r++)
      for (let c = 0; c < columns; c++, i++) sums[r * step.row + c * step.column] += x.data[i]
    y.data.set(sums)
  },
}

export const broadcastToOp: Op = {
  name: 'broadcastTo',
  elementwise: true,
  infer([x], { shape }) {
    const type: TensorType = { shape: shape as number[], dtype: 'f32' }
    checkBroadcast('broadcastTo', x, type)
    return [type]
  },
  vjp: ({ inputs: [x], cotangents: [ct] }) => [sumTo(ct!, x.shape)],
  kernel([x], [y]) {
    const columns = y.shape.at(-1) ?? 1
    const step = broadcastSteps(x.shape)
    for (let r = 0, o = 0; o < y.data.length; r++)
      for (let c = 0; c < columns; c++, o++) y.data[o] = x.data[r * step.row + c * step.column]
  },
}

/** Sums over the axes in which `shape` is 1 or missing: `[R, C]` to `[C]`, `[R, 1]`, `[1]` or `[]`. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : apply(sumToOp, [x], { shape: [...shape] })[0]
}

/** Repeats a scalar, a row or a column up to `shape`. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : apply(broadcastToOp, [x], { shape: [...shape] })[0]
}

/** Sum of all elements, a scalar. */
export const sum = (x: Tensor): Tensor => sumTo(x, [])

/** Sum over each row of `[R, C]`, as a column `[R, 1]`. */
export const sumRows = (x: Tensor): Tensor => sumTo(x, [...x.shape.slice(0, -1), 1])
