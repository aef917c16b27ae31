import type { Tensor } from '../graph/graph.ts'
import { sizeOf } from '../tensor/type.ts'
import { apply, type Op, shapeError } from './op.ts'

export const appendOp: Op = {
  name: 'append',
  infer(inputs) {
    const [slots, slot, rows, start] = inputs
    const fits =
      slots.shape.length === 3 &&
      rows.shape.length === 2 &&
      rows.dtype === 'f32' &&
      rows.shape[1] === slots.shape[2] &&
      rows.shape[0] <= slots.shape[1] &&
      [slot, start].every((t) => t.dtype === 'i32' && t.shape.length === 0)
    if (!fits) throw shapeError('append', inputs, 'a state [slots, capacity, d], a slot, rows [T, d] and a start row')
    return [{ shape: slots.shape.slice(1), dtype: 'f32' }]
  },
  kernel([slots, slot, rows, start], [view]) {
    const n = sizeOf(view.shape)
    const from = slot.data[0] * n
    slots.data.set(rows.data, from + start.data[0] * rows.shape[1])
    view.data.set(slots.data.subarray(from, from + n))
  },
}

/**
 * Writes rows `[T, d]` at row `start` of one slot of a state `[slots, capacity, d]` and returns that slot, `[capacity, d]`.
 * Looped models keep one slot per (layer, loop): a loop never overwrites another's keys (Saunshi et al. 2025, §2 and review).
 */
export const append = (slots: Tensor, slot: Tensor, rows: Tensor, start: Tensor): Tensor =>
  apply(appendOp, [slots, slot, rows, start])[0]
