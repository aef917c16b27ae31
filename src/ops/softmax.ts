import type { Tensor } from '../graph/graph.ts'
import { mul, sub } from './arithmetic.ts'
import { apply, expectMatrices, type Op } from './op.ts'
import { sumRows } from './reduce.ts'

export const softmaxOp: Op = {
  name: 'softmax',
  infer(inputs) {
    expectMatrices('softmax', inputs)
    return [inputs[0]]
  },
  vjp({ outputs: [y], cotangents: [ct] }) {
    const weighted = mul(ct!, y)
    return [sub(weighted, mul(y, sumRows(weighted)))]
  },
  kernel([x], [y]) {
    const [rows, columns] = x.shape
    for (let r = 0; r < rows; r++) {
      const row = Float64Array.from(x.data.subarray(r * columns, (r + 1) * columns))
      const most = row.reduce((a, b) => Math.max(a, b))
      const powers = row.map((v) => Math.exp(v - most))
      const total = powers.reduce((a, b) => a + b, 0)
      for (let c = 0; c < columns; c++) y.data[r * columns + c] = powers[c] / total
    }
  },
}

/** Softmax over each row of `[R, C]`. */
export const softmax = (x: Tensor): Tensor => apply(softmaxOp, [x])[0]
