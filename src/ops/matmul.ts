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
    const multiply = attributes.transposeB ? rowDots : rowSums
    const row_K = new Float64Array(K)
    const row_N = new Float64Array(N)
    for (let m = 0; m < M; m++) {
      for (let k = 0; k < K; k++) row_K[k] = a[m * aRow + k * aColumn]
      multiply(row_K, b, row_N)
      c.data.set(row_N, m * N)
    }
  },
}

/** A row times `[N, K]` transposed: dot products, in four interleaved sums. */
function rowDots(row_K: Float64Array, b: Float32Array, out_N: Float64Array): void {
  const K = row_K.length
  const whole = K - (K % 4)
  for (let n = 0, j = 0; n < out_N.length; n++, j += K) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    for (let k = 0; k < whole; k += 4) {
      s0 += row_K[k] * b[j + k]
      s1 += row_K[k + 1] * b[j + k + 1]
      s2 += row_K[k + 2] * b[j + k + 2]
      s3 += row_K[k + 3] * b[j + k + 3]
    }
    for (let k = whole; k < K; k++) s0 += row_K[k] * b[j + k]
    out_N[n] = s0 + s1 + (s2 + s3)
  }
}

/** A row times `[K, N]`: rows of b added up, four at a time. */
function rowSums(row_K: Float64Array, b: Float32Array, out_N: Float64Array): void {
  const [K, N] = [row_K.length, out_N.length]
  const whole = K - (K % 4)
  out_N.fill(0)
  for (let k = 0; k < whole; k += 4) {
    const [x0, x1, x2, x3] = [row_K[k], row_K[k + 1], row_K[k + 2], row_K[k + 3]]
    for (let n = 0, j = k * N; n < N; n++, j++)
      out_N[n] += x0 * b[j] + x1 * b[j + N] + x2 * b[j + 2 * N] + x3 * b[j + 3 * N]
  }
  for (let k = whole; k < K; k++) for (let n = 0; n < N; n++) out_N[n] += row_K[k] * b[k * N + n]
}

/** `[M, K] · [K, N]` → `[M, N]`; a transposed operand is given as it lies in memory. */
export function matmul(a: Tensor, b: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
  return apply(matmulOp, [a, b], { transposeA: !!options.transposeA, transposeB: !!options.transposeB })[0]
}
