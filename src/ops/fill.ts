import type { Tensor } from '../graph/graph.ts'
import { apply, type Op } from './op.ts'

export const fillOp: Op = {
  name: 'fill',
  infer: (_, { shape }) => [{ shape: shape as number[], dtype: 'f32' }],
  vjp: () => [],
  kernel(_, [y], { value }) {
    y.data.fill(value as number)
  },
}

/** A tensor of one repeated number. */
export const fill = (shape: readonly number[], value: number): Tensor =>
  apply(fillOp, [], { shape: [...shape], value })[0]
