import type { Tensor } from '../graph/graph.ts'
import { sizeOf, type TensorType, type Values } from '../tensor/type.ts'
import { apply, expectMatrices, type Op, shapeError } from './op.ts'

/** Copies a rows × columns window between two matrices; a cell outside of either is left alone. */
function copyWindow(
  from: Values,
  to: Values,
  fromRow: number,
  fromColumn: number,
  toRow: number,
  toColumn: number,
): void {
  const [fromRows, fromColumns] = from.shape
  const [toRows, toColumns] = to.shape
  const rows = Math.min(fromRows - fromRow, toRows - toRow)
  const columns = Math.min(fromColumns - fromColumn, toColumns - toColumn)
  for (let r = 0; r < rows; r++) {
    const start = (fromRow + r) * fromColumns + fromColumn
    to.data.set(from.data.subarray(start, start + columns), (toRow + r) * toColumns + toColumn)
  }
}

/** Demands matrices of one element type: rows are moved whatever they hold. */
function expectAlike(op: string, inputs: readonly TensorType[]): void {
  if (inputs.some((t) => t.shape.length !== 2 || t.dtype !== inputs[0].dtype))
    throw shapeError(op, inputs, inputs.length > 1 ? 'matrices of one type' : 'a matrix')
}

const at = (axis: unknown, position: number): [number, number] => (axis === 0 ? [position, 0] : [0, position])

export const sliceOp: Op = {
  name: 'slice',
  infer(inputs, { axis, start, size }) {
    expectAlike('slice', inputs)
    const [x] = inputs
    const [from, n] = [start as number, size as number]
    if (axis !== 0 && axis !== 1) throw shapeError('slice', inputs, `axis 0 or 1, not ${axis}`)
    if (![from, n].every(Number.isInteger) || from < 0 || n < 1 || from + n > x.shape[axis as number])
      throw shapeError('slice', inputs, `a range within axis ${axis}, not ${from} … ${from + n}`)
    return [{ shape: axis === 0 ? [n, x.shape[1]] : [x.shape[0], n], dtype: x.dtype }]
  },
  vjp: ({ inputs: [x], cotangents: [ct], attributes: { axis, start } }) => [
    apply(padOp, [ct!], { axis, start, size: x.shape[axis as number] })[0],
  ],
  kernel([x], [y], { axis, start }) {
    const [row, column] = at(axis, start as number)
    copyWindow(x, y, row, column, 0, 0)
  },
}

export const padOp: Op = {
  name: 'pad',
  infer: ([x], { axis, size }) => [
    { shape: axis === 0 ? [size as number, x.shape[1]] : [x.shape[0], size as number], dtype: 'f32' },
  ],
  vjp: ({ inputs: [x], cotangents: [ct], attributes: { axis, start } }) => [
    slice(ct!, axis as 0 | 1, start as number, x.shape[axis as number]),
  ],
  kernel([x], [y], { axis, start }) {
    const [row, column] = at(axis, start as number)
    copyWindow(x, y, 0, 0, row, column)
  },
}

export const concatOp: Op = {
  name: 'concat',
  infer(inputs, { axis }) {
    if (inputs.length === 0) throw shapeError('concat', inputs, 'one matrix or more')
    expectAlike('concat', inputs)
    const other = axis === 0 ? 1 : 0
    if (inputs.some((t) => t.shape[other] !== inputs[0].shape[other]))
      throw shapeError('concat', inputs, `equal sizes in axis ${other}`)
    const total = inputs.reduce((n, t) => n + t.shape[axis as number], 0)
    const [{ shape, dtype }] = inputs
    return [{ shape: axis === 0 ? [total, shape[1]] : [shape[0], total], dtype }]
  },
  vjp({ inputs, cotangents: [ct], attributes: { axis } }) {
    let start = 0
    return inputs.map((x) => {
      const size = x.shape[axis as number]
      start += size
      return slice(ct!, axis as 0 | 1, start - size, size)
    })
  },
  kernel(inputs, [y], { axis }) {
    let start = 0
    for (const x of inputs) {
      const [row, column] = at(axis, start)
      copyWindow(x, y, 0, 0, row, column)
      start += x.shape[axis as number]
    }
  },
}

export const shiftOp: Op = {
  name: 'shift',
  infer(inputs, { by }) {
    expectAlike('shift', inputs)
    if (!Number.isInteger(by)) throw shapeError('shift', inputs, `a whole number of rows, not ${by}`)
    return [inputs[0]]
  },
  vjp: ({ cotangents: [ct], attributes: { by } }) => [shift(ct!, -(by as number))],
  kernel([x], [y], { by }) {
    const n = Math.min(Math.abs(by as number), x.shape[0])
    if (n === x.shape[0]) return
    if ((by as number) >= 0) copyWindow(x, y, 0, 0, n, 0)
    else copyWindow(x, y, n, 0, 0, 0)
  },
}

export const transposeOp: Op = {
  name: 'transpose',
  infer(inputs) {
    expectMatrices('transpose', inputs)
    return [{ shape: [inputs[0].shape[1], inputs[0].shape[0]], dtype: 'f32' }]
  },
  vjp: ({ cotangents: [ct] }) => [transpose(ct!)],
  kernel([x], [y]) {
    const [R, C] = x.shape
    for (let r = 0; r < R; r++) for (let c = 0; c < C; c++) y.data[c * R + r] = x.data[r * C + c]
  },
}

export const reshapeOp: Op = {
  name: 'reshape',
  infer(inputs, { shape }) {
    const [x] = inputs
    if (sizeOf(x.shape) !== sizeOf(shape as number[]))
      throw shapeError('reshape', inputs, `as many elements as [${(shape as number[]).join(', ')}] has`)
    return [{ shape: shape as number[], dtype: x.dtype }]
  },
  vjp: ({ inputs: [x], cotangents: [ct] }) => [reshape(ct!, x.shape)],
  kernel([x], [y]) {
    y.data.set(x.data)
  },
}

/** Rows (axis 0) or columns (axis 1) `start … start + size − 1` of a matrix. */
export const slice = (x: Tensor, axis: 0 | 1, start: number, size: number): Tensor =>
  apply(sliceOp, [x], { axis, start, size })[0]

/** Matrices below each other (axis 0) or side by side (axis 1). */
export const concat = (parts: readonly Tensor[], axis: 0 | 1): Tensor => apply(concatOp, parts, { axis })[0]

/** Moves rows down by `by` (up when negative); rows that enter are zero. Row i of the result is row i − by of x. */
export const shift = (x: Tensor, by: number): Tensor => apply(shiftOp, [x], { by })[0]

/** `[R, C]` → `[C, R]`. */
export const transpose = (x: Tensor): Tensor => apply(transposeOp, [x])[0]

/** The same values under another shape. */
export const reshape = (x: Tensor, shape: readonly number[]): Tensor => apply(reshapeOp, [x], { shape: [...shape] })[0]
