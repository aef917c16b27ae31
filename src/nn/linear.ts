import { parameter, type Tensor } from '../graph/graph.ts'
import { add, matmul, type NormKind, norm } from '../ops/index.ts'

/** x Wᵀ (+ b): x `[T, in]` → `[T, out]`. Weights lie as PyTorch and Hugging Face files have them, `[out, in]`. */
export function linear(name: string, x: Tensor, out: number, bias = false): Tensor {
  const y = matmul(x, parameter(`${name}.weight`, [out, x.shape[1]]), { transposeB: true })
  return bias ? add(y, parameter(`${name}.bias`, [out])) : y
}

export interface NormSettings {
  readonly norm: NormKind | 'none'
  readonly normEps: number
  readonly bias: boolean
}

/** A norm with its own gain (and, for LayerNorm with biases, a bias); `none` passes x on. */
export function normalize(name: string, x: Tensor, { norm: kind, normEps, bias }: NormSettings): Tensor {
  if (kind === 'none') return x
  const d = x.shape[1]
  const shift = bias && kind === 'layer' ? parameter(`${name}.bias`, [d]) : undefined
  return norm(kind, x, parameter(`${name}.weight`, [d]), shift, normEps)
}
