import type { Tensor } from '../graph/graph.ts'
import { repeat, reshape, type Tensors } from '../ops/index.ts'

/** What is read off the state after each loop: one record of tensors per iteration. */
export type Tap = (state: { readonly before: Tensor; readonly after: Tensor }) => Tensors

/** Where a block stands in its loop. */
export interface LoopPosition {
  /** i32 scalar, 0-based; absent where the block runs once. */
  readonly index?: Tensor
}

export interface Recurred {
  readonly x: Tensor
  /** Each tapped tensor stacked over the loops, `[loops, …]`. */
  readonly taps: Tensors
}

/** How a segment of a plan repeats: an object that runs the segment's block on the state. */
export interface Recurrence {
  run(x: Tensor, block: (x: Tensor, at: LoopPosition) => Tensor, tap?: Tap): Recurred
}

/**
 * The same block, a fixed number of times, nothing added between (Saunshi et al. 2025, §2). Once is a plain block.
 * `saveEvery`: loops that the derivative computes again at a time, so as to keep the state before them alone.
 */
export function fixedCount(loops: number, { saveEvery }: { readonly saveEvery?: number } = {}): Recurrence {
  return {
    run(x, block, tap) {
      if (loops === 1) {
        const after = block(x, {})
        const taps = tap?.({ before: x, after }) ?? {}
        return { x: after, taps: mapTensors(taps, (t) => reshape(t, [1, ...t.shape])) }
      }
      const { carry, collected } = repeat({ count: loops, carry: { x }, saveEvery }, ({ x: before }, at) => {
        const after = block(before, at)
        return { carry: { x: after }, collect: tap?.({ before, after }) }
      })
      return { x: carry.x, taps: collected }
    },
  }
}

const mapTensors = (record: Tensors, f: (t: Tensor) => Tensor): Tensors =>
  Object.fromEntries(Object.entries(record).map(([name, t]) => [name, f(t)]))
