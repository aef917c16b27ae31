import type { Tensor } from '../graph/graph.ts'
import { broadcastShape, broadcastSteps } from './arithmetic.ts'
import { fill } from './fill.ts'
import { apply, type Op, shapeError } from './op.ts'
import { sumTo } from './reduce.ts'

export const whereOp: Op = {
  name: 'where',
  elementwise: true,
  infer(inputs) {
    if (inputs.some((t) => t.dtype !== 'f32')) throw shapeError('where', inputs, 'f32 tensors')
    return [{ shape: broadcastShape('where', inputs), dtype: 'f32' }]
  },
  vjp({ inputs: [condition, a, b], cotangents: [ct] }) {
    const zero = fill([], 0)
    return [undefined, sumTo(where(condition, ct!, zero), a.shape), sumTo(where(condition, zero, ct!), b.shape)]
  },
  kernel(inputs, [y]) {
    const columns = y.shape.at(-1) ?? 1
    const [sc, sa, sb] = inputs.map((t) => broadcastSteps(t.shape))
    const [condition, a, b] = inputs.map((t) => t.data)
    for (let r = 0, o = 0; o < y.data.length; r++)
      for (let c = 0; c < columns; c++, o++)
        y.data[o] =
          condition[r * sc.row + c * sc.column] !== 0 ? a[r * sa.row + c * sa.column] : b[r * sb.row + c * sb.column]
  },
}

/** `a` where the condition (f32) is not 0, else `b`, with broadcast. No gradient reaches the condition. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => apply(whereOp, [condition, a, b])[0]
