import type { Tensor } from '../graph/graph.ts'
import { apply, type Op, shapeError } from './op.ts'

export const embedOp: Op = {
  name: 'embed',
  infer(inputs) {
    const [table, ids] = inputs
    const fits = table.shape.length === 2 && ids.shape.length === 1 && table.dtype === 'f32' && ids.dtype === 'i32'
    if (!fits) throw shapeError('embed', inputs, 'a table f32[V, d] and ids i32[T]')
    return [{ shape: [ids.shape[0], table.shape[1]], dtype: 'f32' }]
  },
  vjp({ inputs: [table, ids], cotangents: [ct] }) {
    return [apply(embedGradOp, [ids, ct!], { vocabulary: table.shape[0] })[0], undefined]
  },
  kernel([table, ids], [y]) {
    const d = table.shape[1]
    ids.data.forEach((id, t) => {
      y.data.set(table.data.subarray(id * d, (id + 1) * d), t * d)
    })
  },
}

export const embedGradOp: Op = {
  name: 'embedGrad',
  infer: ([, ct], { vocabulary }) => [{ shape: [vocabulary as number, ct.shape[1]], dtype: 'f32' }],
  kernel([ids, ct], [dtable]) {
    const d = ct.shape[1]
    const sums = new Float64Array(dtable.data.length)
    ids.data.forEach((id, t) => {
      for (let i = 0; i < d; i++) sums[id * d + i] += ct.data[t * d + i]
    })
    dtable.data.set(sums)
  },
}

/** Rows of a table f32`[V, d]` by ids i32`[T]` → `[T, d]`. Ids must lie in [0, V). */
export const embed = (table: Tensor, ids: Tensor): Tensor => apply(embedOp, [table, ids])[0]
