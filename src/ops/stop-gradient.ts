import type { Tensor } from '../graph/graph.ts'
import { apply, type Op } from './op.ts'

export const stopGradientOp: Op = {
  name: 'stopGradient',
  elementwise: true,
  infer: ([x]) => [x],
  vjp: () => [undefined],
  kernel([x], [y]) {
    y.data.set(x.data)
  },
}

/** The same values, through which no gradient flows. */
export const stopGradient = (x: Tensor): Tensor => apply(stopGradientOp, [x])[0]
