import type { Attributes, Tensor } from '../graph/graph.ts'
import type { TensorType } from '../tensor/type.ts'
import { apply, expectMatrices, type Op, shapeError } from './op.ts'

interface MatmulShape {
  readonly M: number
  readonly K: number
  readonly N: number
  readonly innerB: number
}

function matmulShape([a, b]: readonly TensorType[], { transposeA, transposeB }: Attributes): MatmulShape {
  const [M, K] = transposeA ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]]
  const [innerB, N] = transposeB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]]
  return { M, K, N, innerB }
}

export const matmulOp: Op = {
  name: 'matmul',
  infer(inputs, attributes) {
    expectMatrices('matmul', inputs)
    const { M, K, N, innerB } = matmulShape(inputs, attributes)
    if (K !== innerB) throw shapeError('matmul', inputs, `equal inner sizes, not ${K} and ${innerB}`)
    return [{ shape: [M, N], dtype: 'f32' }]
  },
  vjp({ inputs: [a, b], cotangents: [ct], attributes: { transposeA, transposeB } }) {
    const da = transposeA
      ? matmul(b, ct!, { transposeA: !!transposeB, transposeB: true })
      : matmul(ct!, b, { transposeB: !transposeB })
    const db = transposeB
      ? matmul(ct!, a, { transposeA: true, transposeB: !!transposeA })
      : matmul(a, ct!, { transposeA: !transposeA })
    return [da, db]
  },
  flops(inputs, attributes) {
    const { M, K, N } = matmulShape(inputs, attributes)
    return 2 * M * K * N
  },
  kernel(inputs, [c], attributes, context) {
    const { M, K, N } = matmulShape(inputs, attributes)
    const [a, b] = inputs.map((t) => context.operand(t.data))
    const [aRow, aColumn] = attributes.transposeA ? [1, M] : [K, 1]
    const [bRow, bColumn] = attributes.transposeB ? [1, K] : [N, 1]
    const row = new Float64Array(N)
    for (let m = 0; m < M; m++) {
      row.fill(0)
      for (let k = 0; k < K; k++) {
        const x = a[m * aRow + k * aColumn]
        for (let n = 0, j = k * bRow; n < N; n++, j += bColumn) row[n] += x * b[j]
      }
      c.data.set(row, m * N)
    }
  },
}

/** `[M, K] · [K, N]` → `[M, N]`; a transposed operand is given as it lies in memory. */
export function matmul(a: Tensor, b: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
  return apply(matmulOp, [a, b], { transposeA: !!options.transposeA, transposeB: !!options.transposeB })[0]
}
