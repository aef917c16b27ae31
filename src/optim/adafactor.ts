/**
 * R rows, C columns of a weight matrix.
 */
import type { Tensor } from '../graph/graph.ts'
import { add, div, mul, sub, sum, sumRows, sumTo, unary } from '../ops/index.ts'
import { sizeOf } from '../tensor/type.ts'
import type { Optimizer, Shape } from './optimizer.ts'

export interface AdafactorSettings {
  /** The second moment of step t keeps 1 − t^−decay of the old one. */
  readonly decay: number
  /** Added to squared gradients. */
  readonly eps1: number
  /** Root mean square above which an update is scaled down. */
  readonly clipThreshold: number
  readonly weightDecay: number
}

const rsqrt = (x: Tensor): Tensor => unary('reciprocal', unary('sqrt', x))

/**
 * Adafactor (Shazeer & Stern 2018, Algorithms 4 and 5) with the learning rate given from outside: no relative step, no
 * scaling by the parameter, no momentum; Hugging Face's `scale_parameter=False, relative_step=False`. The second moment
 * of a matrix is kept as its row and column means, that of a vector in full. The looped-transformer paper (2502.17416)
 * says "Adafactor" and not which variant; this choice is ours. Only matrices decay, and their decay is scaled by the
 * learning rate.
 */
export function adafactor({ decay, eps1, clipThreshold, weightDecay }: AdafactorSettings): Optimizer {
  return {
    name: 'adafactor',
    states: (shape): Record<string, Shape> =>
      shape.length === 2 ? { rows: [shape[0], 1], columns: [shape[1]] } : { moment2: shape },
    numbers: (step) => ({ renewal: step ** -decay }),
    update({ weights, gradient, states, learningRate, numbers: { renewal } }) {
      const squares = add(unary('square', gradient), eps1)
      const renew = (old: Tensor, now: Tensor) => add(mul(old, sub(1, renewal)), mul(now, renewal))
      const [next, factors] = states.moment2
        ? unfactored(renew(states.moment2, squares))
        : factored(squares, (rows_R1, columns_C) => [renew(states.rows, rows_R1), renew(states.columns, columns_C)])
      const direction = factors.reduce((u, factor) => mul(u, factor), gradient)
      const rms = unary('sqrt', div(sum(unary('square', direction)), sizeOf(weights.shape)))
      const shrink = add(unary('relu', sub(div(rms, clipThreshold), 1)), 1) // max(1, rms / threshold)
      const decays = weightDecay !== 0 && weights.shape.length > 1
      const decayed = decays ? mul(weights, sub(1, mul(learningRate, weightDecay))) : weights
      return { weights: sub(decayed, mul(direction, div(learningRate, shrink))), states: next }
    },
  }
}

type Factored = [states: Record<string, Tensor>, factors: Tensor[]]

const unfactored = (moment2: Tensor): Factored => [{ moment2 }, [rsqrt(moment2)]]

/** 1 / √(rows · columns / mean of rows), as two factors: their product can leave the range of f32. */
function factored(squares_RC: Tensor, renew: (rows_R1: Tensor, columns_C: Tensor) => [Tensor, Tensor]): Factored {
  const [R, C] = squares_RC.shape
  const [rows, columns] = renew(div(sumRows(squares_RC), C), div(sumTo(squares_RC, [C]), R))
  const mean = div(sum(rows), R)
  return [{ rows, columns }, [rsqrt(div(rows, mean)), rsqrt(columns)]]
}
