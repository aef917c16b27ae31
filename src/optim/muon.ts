import type { Tensor } from '../graph/graph.ts'
import { add, div, matmul, mul, sub, sum, transpose, unary } from '../ops/index.ts'
import { type AdamWSettings, adamw } from './adamw.ts'
import type { Optimizer } from './optimizer.ts'

export interface MuonSettings {
  readonly momentum: number
  readonly weightDecay: number
  /** AdamW's, for all that is no matrix between two layers; `lrRatio`: its learning rate over Muon's. */
  readonly others: AdamWSettings & { readonly lrRatio: number }
}

/**
 * Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), as its authors' code: momentum in Nesterov's way, made
 * orthogonal by five Newton-Schulz iterations, times √max(1, rows / columns). It is for the matrices of layers;
 * embeddings, head, gains and biases are AdamW's.
 */
export function muon({ momentum, weightDecay, others }: MuonSettings): Optimizer {
  const { lrRatio, ...settings } = others
  const plain = adamw(settings)
  const rest: Optimizer = {
    ...plain,
    update: (update) => plain.update({ ...update, learningRate: mul(update.learningRate, lrRatio) }),
  }
  const matrices: Optimizer = {
    name: 'muon',
    states: (shape) => ({ momentum: shape }),
    numbers: () => ({}),
    update({ weights, gradient, states, learningRate }) {
      const next = add(mul(states.momentum, momentum), mul(gradient, 1 - momentum))
      const ahead = add(mul(next, momentum), mul(gradient, 1 - momentum))
      const [R, C] = weights.shape
      const direction = mul(orthogonal(ahead), Math.sqrt(Math.max(1, R / C)))
      const decayed = weightDecay === 0 ? weights : mul(weights, sub(1, mul(learningRate, weightDecay)))
      return { weights: sub(decayed, mul(direction, learningRate)), states: { momentum: next } }
    },
  }
  return { ...matrices, of: (name, shape) => (isHidden(name) && shape.length === 2 ? matrices : rest) }
}

const isHidden = (name: string) => !/(^|\.)(embed_|lm_head)/.test(name)

/** Coefficients of an odd quintic that sends singular values of 0 to 1 close to 1, steeply; the authors'. */
const [a, b, c] = [3.4445, -4.775, 2.0315]

/** Nearly U Vᵀ of the singular value decomposition U S Vᵀ: singular values are near 1, not at it. */
function orthogonal(matrix_RC: Tensor): Tensor {
  const [R, C] = matrix_RC.shape
  let x = div(matrix_RC, add(unary('sqrt', sum(unary('square', matrix_RC))), 1e-7))
  if (R > C) x = transpose(x)
  for (let i = 0; i < 5; i++) {
    const square = matmul(x, x, { transposeB: true })
    const factor = add(mul(square, b), mul(matmul(square, square), c))
    x = add(mul(x, a), matmul(factor, x))
  }
  return R > C ? transpose(x) : x
}
