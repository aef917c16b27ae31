import type { Tensor } from '../graph/graph.ts'
import { sizeOf } from '../tensor/type.ts'
import { apply, type Op, shapeError } from './op.ts'

export const takeRowOp: Op = {
  name: 'takeRow',
  infer(inputs) {
    const [x, index] = inputs
    if (x.shape.length < 1 || index.shape.length !== 0 || index.dtype !== 'i32')
      throw shapeError('takeRow', inputs, 'a stack [N, …] and an i32 scalar')
    return [{ shape: x.shape.slice(1), dtype: x.dtype }]
  },
  vjp: ({ inputs: [x, index], cotangents: [ct] }) => [
    apply(putRowOp, [ct!, index], { rows: x.shape[0] })[0],
    undefined,
  ],
  kernel([x, index], [y]) {
    const n = sizeOf(y.shape)
    y.data.set(x.data.subarray(index.data[0] * n, (index.data[0] + 1) * n))
  },
}

export const putRowOp: Op = {
  name: 'putRow',
  infer: ([x], { rows }) => [{ shape: [rows as number, ...x.shape], dtype: x.dtype }],
  vjp: ({ inputs: [, index], cotangents: [ct] }) => [takeRow(ct!, index), undefined],
  kernel([x, index], [y]) {
    y.data.set(x.data, index.data[0] * x.data.length)
  },
}

/** Row `index` (i32 scalar, such as a loop's index) of a stack `[N, …]`. */
export const takeRow = (x: Tensor, index: Tensor): Tensor => apply(takeRowOp, [x, index])[0]
