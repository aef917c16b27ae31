/**
 * A loop whose derivative keeps few of its values. N iterations, m of them a segment.
 */
import { copyBody } from '../graph/copy.ts'
import type { Tensor } from '../graph/graph.ts'
import { sizeOf } from '../tensor/type.ts'
import {
  addLoop,
  type LoopBody,
  type Looped,
  type LoopOptions,
  loop,
  mapTensors,
  type NodeOptions,
  type Tensors,
  type Traced,
  traceBody,
} from './loop.ts'
import { concat, reshape, shift, slice } from './shape.ts'

// Names that stand beside those of the caller.
const position = '#position'
const left = '#left'

/**
 * The loop as segments of m iterations, whose derivative keeps the carry that enters each and computes the rest again
 * (Chen et al. 2016, arXiv 1604.06174), and the last 1 to m iterations as they are: the way back begins with those.
 */
export function loopInSegments(
  { count, carry, scan = {}, runs }: LoopOptions<Tensors, Tensors>,
  m: number,
  body: LoopBody<Tensors, Tensors, Tensors>,
): Looped<Tensors, Tensors> {
  const segments = Math.floor((count - 1) / m)
  const start = m * segments
  const numbers = countUp(count)
  const part = (from: number, n: number, by: readonly number[]): Tensors => ({
    ...mapTensors(scan, (stack) => cut(stack, from, n, by)),
    [position]: reshape(slice(numbers, 0, from, n), by),
  })

  let traced!: Traced
  const traceLoop = (options: NodeOptions<Tensors, Tensors>) => {
    traced = traceBody(options, (state, { slices: { [position]: index, ...slices } }) => body(state, { index, slices }))
    return addLoop(options, traced)
  }
  const inSegments = () =>
    loop(
      {
        count: segments,
        carry: { ...carry, ...(runs && { [left]: runs }) },
        scan: part(0, start, [segments, m]),
        recompute: true,
      },
      ({ [left]: runs, ...state }, { slices }) => {
        const { carry, collected } = traceLoop({ count: m, carry: state, scan: slices, runs })
        return { carry: { ...carry, ...(runs && { [left]: minus(runs, m, numbers) }) }, collect: collected }
      },
    )
  const saved =
    m === 1 ? traceLoop({ count: start, carry, scan: part(0, start, [start]), runs, recompute: true }) : inSegments()
  const { [left]: _, ...entering } = saved.carry
  const rest = count - start
  const scanned = part(start, rest, [rest])
  const end = { count: rest, carry: entering, scan: scanned, runs: runs && minus(runs, start, numbers) }
  const last = addLoop(end, { ...traced, body: copyBody(traced.body) })
  const collected = mapTensors(last.collected, (end, name) => join(saved.collected[name], end, start, count))
  return { carry: last.carry, collected }
}

/** Slices `from … from + n − 1` of a stack, stacked as `by` says. */
function cut(stack: Tensor, from: number, n: number, by: readonly number[]): Tensor {
  const one = stack.shape.slice(1)
  const rows = reshape(stack, [stack.shape[0], sizeOf(one)])
  return reshape(slice(rows, 0, from, n), [...by, ...one])
}

/** One stack of `count` slices from one of `start`, however it is stacked, and one of the rest. */
function join(begin: Tensor, end: Tensor, start: number, count: number): Tensor {
  const one = end.shape.slice(1)
  const rows = (t: Tensor, n: number) => reshape(t, [n, sizeOf(one)])
  return reshape(concat([rows(begin, start), rows(end, count - start)], 0), [count, ...one])
}

/** i32`[N, 1]`: 0, 1 … N − 1. */
function countUp(count: number): Tensor {
  const { collected } = loop({ count, carry: {} }, (_, { index }) => ({ carry: {}, collect: { index } }))
  return reshape(collected.index, [count, 1])
}

/** max(0, min(n, N) − by) of an i32 scalar: integers have no arithmetic, so a loop of n steps walks along the numbers. */
function minus(n: Tensor, by: number, numbers: Tensor): Tensor {
  const count = numbers.shape[0]
  const zero = reshape(slice(numbers, 0, 0, 1), [])
  // After i + 1 steps: i + 1 − by, and zeros before there is that much.
  const differences = reshape(shift(numbers, by - 1), [count])
  return loop({ count, carry: { zero }, scan: { next: differences }, runs: n }, (_, { slices: { next } }) => ({
    carry: { zero: next },
  })).carry.zero
}
