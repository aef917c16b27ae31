import type { Tensor } from '../graph/graph.ts'
import { sizeOf, type TensorType, type Values } from '../tensor/type.ts'
import { fill } from './fill.ts'
import { apply, type Op, shapeError } from './op.ts'
import { sumTo } from './reduce.ts'
import { unary } from './unary.ts'

/** NumPy's broadcast for up to two axes: equal shapes, a scalar, a row `[C]` or a column `[R, 1]` beside `[R, C]`. */
export function broadcastShape(op: string, inputs: readonly TensorType[]): number[] {
  const rank = Math.max(...inputs.map((t) => t.shape.length))
  const shape = new Array<number>(rank).fill(1)
  for (const t of inputs) {
    const offset = rank - t.shape.length
    t.shape.forEach((s, i) => {
      if (s === 1) return
      if (shape[offset + i] !== 1 && shape[offset + i] !== s) throw shapeError(op, inputs, 'shapes that broadcast')
      shape[offset + i] = s
    })
  }
  if (rank > 2 && inputs.some((t) => sizeOf(t.shape) !== sizeOf(shape) && sizeOf(t.shape) !== 1))
    throw shapeError(op, inputs, 'equal shapes beyond two axes')
  return shape
}

/** By how much the flat index grows from row to row and from column to column; 0 along a repeated axis. */
export function broadcastSteps(shape: readonly number[]): { row: number; column: number } {
  const last = shape.at(-1) ?? 1
  const rows = sizeOf(shape) / last
  return { row: rows === 1 ? 0 : last, column: last === 1 ? 0 : 1 }
}

function binaryOp(
  name: string,
  f: (a: number, b: number) => number,
  derivative: (ct: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor],
): Op {
  return {
    name,
    elementwise: true,
    infer(inputs) {
      if (inputs.some((t) => t.dtype !== 'f32')) throw shapeError(name, inputs, 'f32 tensors')
      return [{ shape: broadcastShape(name, inputs), dtype: 'f32' }]
    },
    vjp({ inputs: [a, b], outputs: [y], cotangents: [ct] }) {
      const [da, db] = derivative(ct!, a, b, y)
      return [sumTo(da, a.shape), sumTo(db, b.shape)]
    },
    kernel([a, b]: readonly Values[], [y]: readonly Values[]) {
      const columns = y.shape.at(-1) ?? 1
      const rows = y.data.length / columns
      const sa = broadcastSteps(a.shape)
      const sb = broadcastSteps(b.shape)
      for (let r = 0, o = 0; r < rows; r++)
        for (let c = 0; c < columns; c++, o++)
          y.data[o] = f(a.data[r * sa.row + c * sa.column], b.data[r * sb.row + c * sb.column])
    },
  }
}

export const addOp = binaryOp(
  'add',
  (a, b) => a + b,
  (ct) => [ct, ct],
)
export const subOp = binaryOp(
  'sub',
  (a, b) => a - b,
  (ct) => [ct, unary('neg', ct)],
)
export const mulOp = binaryOp(
  'mul',
  (a, b) => a * b,
  (ct, a, b) => [mul(ct, b), mul(ct, a)],
)
export const divOp = binaryOp(
  'div',
  (a, b) => a / b,
  (ct, _a, b, y) => {
    const da = div(ct, b)
    return [da, unary('neg', mul(da, y))]
  },
)

type Operand = Tensor | number
const lift = (x: Operand): Tensor => (typeof x === 'number' ? fill([], x) : x)

/** a + b, with row, column and scalar broadcast. */
export const add = (a: Operand, b: Operand): Tensor => apply(addOp, [lift(a), lift(b)])[0]
/** a − b, with broadcast. */
export const sub = (a: Operand, b: Operand): Tensor => apply(subOp, [lift(a), lift(b)])[0]
/** a · b element by element, with broadcast. */
export const mul = (a: Operand, b: Operand): Tensor => apply(mulOp, [lift(a), lift(b)])[0]
/** a / b, with broadcast. */
export const div = (a: Operand, b: Operand): Tensor => apply(divOp, [lift(a), lift(b)])[0]
