import { LatheError } from '../settings/error.ts'
import type { BatchGradients } from '../train/gradients.ts'

/** What must agree before anything is timed. */
export type LossAndGradients = Pick<BatchGradients, 'loss' | 'gradients'>

/** How far gradients are from those wanted: ‖got − wanted‖ / ‖wanted‖, NaN where a number is none. */
export interface Agreement {
  /** |got − wanted| / |wanted|. */
  readonly loss: number
  /** Of all gradients as one vector. */
  readonly whole: number
  /** Of the tensor that is furthest off. */
  readonly worstTensor: number
  readonly tensor: string
}

/** Throws a LatheError for a gradient that is missing or has another size. */
export function compareGradients(got: LossAndGradients, wanted: LossAndGradients): Agreement {
  const total = { difference: 0, size: 0 }
  let worst = { tensor: '', error: -1 }
  for (const [tensor, want] of Object.entries(wanted.gradients)) {
    const values = got.gradients[tensor]
    if (values?.length !== want.length)
      throw new LatheError(
        `the gradient of ${tensor} has ${values ? `${values.length} numbers` : 'none'}, not ${want.length}`,
      )
    let [difference, size] = [0, 0]
    for (let i = 0; i < want.length; i++) {
      difference += (values[i] - want[i]) ** 2
      size += want[i] ** 2
    }
    total.difference += difference
    total.size += size
    const error = relative(difference, size)
    if (Number.isNaN(error) || error > worst.error) worst = { tensor, error }
  }
  return {
    loss: Math.abs(got.loss - wanted.loss) / Math.abs(wanted.loss),
    whole: relative(total.difference, total.size),
    worstTensor: worst.error,
    tensor: worst.tensor,
  }
}

const relative = (difference: number, size: number): number => (difference === 0 ? 0 : Math.sqrt(difference / size))

/** The larger of the relative errors of the loss and of all gradients: NaN where one is. */
export function disagreement(got: LossAndGradients, wanted: LossAndGradients): number {
  const { loss, whole } = compareGradients(got, wanted)
  return Math.max(loss, whole)
}
