import type { Attributes, Tensor } from '../graph/graph.ts'
import { sameShape, type TensorType, type Values } from '../tensor/type.ts'
import { apply, type Op, shapeError } from './op.ts'

export type NormKind = 'rms' | 'layer'

function checkNorm(inputs: readonly TensorType[]): void {
  const [x, ...vectors] = inputs
  const fits = x.shape.length === 2 && vectors.every((v) => sameShape(v.shape, [x.shape[1]]))
  if (!fits || inputs.some((t) => t.dtype !== 'f32'))
    throw shapeError('norm', inputs, 'f32 x [T, d] with a gain [d] and perhaps a bias [d]')
}

function rowStatistics(x: Values, row: number, { kind, eps }: Attributes): { mean: number; scale: number } {
  const d = x.shape[1]
  const start = row * d
  let mean = 0
  if (kind === 'layer') {
    for (let i = 0; i < d; i++) mean += x.data[start + i]
    mean /= d
  }
  let square = 0
  for (let i = 0; i < d; i++) square += (x.data[start + i] - mean) ** 2
  return { mean, scale: 1 / Math.sqrt(square / d + (eps as number)) }
}

export const normOp: Op = {
  name: 'norm',
  infer(inputs) {
    checkNorm(inputs)
    return [inputs[0]]
  },
  vjp({ inputs, cotangents: [ct], attributes }) {
    return apply(normGradOp, [inputs[0], inputs[1], ct!], attributes).slice(0, inputs.length)
  },
  kernel([x, gain, bias], [y], attributes) {
    const [T, d] = x.shape
    for (let t = 0; t < T; t++) {
      const { mean, scale } = rowStatistics(x, t, attributes)
      for (let i = 0; i < d; i++)
        y.data[t * d + i] = (x.data[t * d + i] - mean) * scale * gain.data[i] + (bias ? bias.data[i] : 0)
    }
  },
}

export const normGradOp: Op = {
  name: 'normGrad',
  infer([x, gain, dy]) {
    checkNorm([x, gain])
    if (dy.shape.length !== 2) throw shapeError('normGrad', [x, gain, dy], 'x, gain and the cotangent of y')
    return [x, gain, gain]
  },
  kernel([x, gain, dy], [dx, dgain, dbias], attributes) {
    const [T, d] = x.shape
    const gainSum = new Float64Array(d)
    const biasSum = new Float64Array(d)
    for (let t = 0; t < T; t++) {
      const { mean, scale } = rowStatistics(x, t, attributes)
      let average = 0
      let projection = 0
      for (let i = 0; i < d; i++) {
        const unit = (x.data[t * d + i] - mean) * scale
        const g = dy.data[t * d + i] * gain.data[i]
        average += g
        projection += g * unit
        gainSum[i] += dy.data[t * d + i] * unit
        biasSum[i] += dy.data[t * d + i]
      }
      average = attributes.kind === 'layer' ? average / d : 0
      projection /= d
      for (let i = 0; i < d; i++) {
        const unit = (x.data[t * d + i] - mean) * scale
        dx.data[t * d + i] = (dy.data[t * d + i] * gain.data[i] - average - unit * projection) * scale
      }
    }
    dgain.data.set(gainSum)
    dbias.data.set(biasSum)
  },
}

/**
 * Normalises each row of x `[T, d]`: `rms` is x·(mean x² + eps)^-½ · gain (Zhang & Sennrich 2019), `layer` subtracts the
 * mean first and divides by the biased standard deviation (Ba et al. 2016).
 */
export function norm(kind: NormKind, x: Tensor, gain: Tensor, bias?: Tensor, eps = 1e-5): Tensor {
  return apply(normOp, bias ? [x, gain, bias] : [x, gain], { kind, eps })[0]
}
