import { add, div, mul, sub, unary } from '../ops/index.ts'
import type { Optimizer } from './optimizer.ts'

export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  readonly weightDecay: number
}

/**
 * AdamW (Loshchilov & Hutter 2019, Algorithm 2, as torch.optim.AdamW): weight decay apart from the gradient, moments
 * corrected for their start at zero. Tensors of one axis (gains, biases) do not decay unless `decayVectors`; ours.
 */
export function adamw(settings: AdamWSettings, { decayVectors = false } = {}): Optimizer {
  const { beta1, beta2, eps, weightDecay } = settings
  return {
    name: 'adamw',
    byRow: true,
    states: (shape) => ({ moment1: shape, moment2: shape }),
    numbers: (step) => ({ correction1: 1 / (1 - beta1 ** step), correction2: 1 / Math.sqrt(1 - beta2 ** step) }),
    update({ weights, gradient, states, learningRate, numbers: { correction1, correction2 } }) {
      const moment1 = add(mul(states.moment1, beta1), mul(gradient, 1 - beta1))
      const moment2 = add(mul(states.moment2, beta2), mul(unary('square', gradient), 1 - beta2))
      const scale = add(mul(unary('sqrt', moment2), correction2), eps)
      const direction = div(mul(moment1, mul(learningRate, correction1)), scale)
      const decay = weights.shape.length > 1 || decayVectors ? weightDecay : 0
      const decayed = decay === 0 ? weights : mul(weights, sub(1, mul(learningRate, decay)))
      return { weights: sub(decayed, direction), states: { moment1, moment2 } }
    },
  }
}
