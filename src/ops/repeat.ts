import { LatheError } from '../settings/error.ts'
import { formatType } from '../tensor/type.ts'
import { type LoopBody, type Looped, type LoopOptions, loop, type Tensors } from './loop.ts'
import { loopInSegments } from './segments.ts'

export interface RepeatOptions<C extends Tensors, S extends Tensors> extends LoopOptions<C, S> {
  /**
   * Activation recomputation (checkpointing): the derivative keeps the carry at every m-th iteration alone and computes
   * what else it needs again, m iterations at a time. Default: it keeps everything. From `count` on it is no different.
   */
  readonly saveEvery?: number
}

/**
 * A loop as ONE node: its body is traced once, whatever the count. The body may use any tensor from outside. With
 * `saveEvery` it is a loop over segments and one over the last iterations, with the same values and gradients, bit for
 * bit; on the native executor only where what is collected is read a slice at a time, as by a loop: read whole, it may make
 * the gradients of a batch sum in another order.
 *
 * @example
 * const { carry } = repeat({ count: 12, carry: { x } }, ({ x }) => ({ carry: { x: layer(x) } }))
 */
export function repeat<C extends Tensors, S extends Tensors = Tensors, O extends Tensors = Tensors>(
  options: RepeatOptions<C, S>,
  body: LoopBody<C, S, O>,
): Looped<C, O> {
  const { count, scan, runs, saveEvery = count } = options
  if (!Number.isInteger(count) || count < 1) throw new LatheError(`repeat takes a count of 1 or more, not ${count}`)
  if (!Number.isInteger(saveEvery) || saveEvery < 1)
    throw new LatheError(`repeat saves every iteration or every few, 1 or more, not every ${saveEvery}`)
  if (runs && (runs.dtype !== 'i32' || runs.shape.length !== 0))
    throw new LatheError(`repeat takes an i32 scalar for runs, not ${formatType(runs)}`)
  for (const s of Object.values(scan ?? {}))
    if (s.shape[0] !== count) throw new LatheError(`repeat scans stacks of ${count} slices, not ${formatType(s)}`)
  if (saveEvery >= count) return loop(options, body)
  return loopInSegments(options, saveEvery, body as unknown as LoopBody<Tensors, Tensors, Tensors>) as Looped<C, O>
}
