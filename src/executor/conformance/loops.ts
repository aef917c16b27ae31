/**
 * Loops of every kind, written over a `loop` that may be `repeat` or the same loop written out.
 */
import type { Tensor } from '../../graph/graph.ts'
import {
  add,
  attention,
  concat,
  div,
  embed,
  fill,
  linearCrossEntropy,
  matmul,
  mul,
  norm,
  type repeat,
  reshape,
  shift,
  slice,
  softmax,
  sub,
  sumRows,
  sumTo,
  takeRow,
  transpose,
  unary,
  where,
} from '../../ops/index.ts'
import { sizeOf } from '../../tensor/type.ts'
import { below, f32, i32, offZero, type Sample, scaled } from './data.ts'

export type Loop = typeof repeat

export interface LoopCase {
  readonly name: string
  readonly samples: Readonly<Record<string, Sample>>
  /** How often it runs, where that is bound below the count. */
  readonly runs?: number
  expression(loop: Loop, tensors: Record<string, Tensor>): Tensor
}

/** All values of some tensors in one row. */
export const join = (...tensors: Tensor[]): Tensor =>
  concat(
    tensors.map((t) => reshape(t, [1, sizeOf(t.shape)])),
    1,
  )

const cell = (x: Tensor, w: Tensor): Tensor => add(mul(x, 0.5), unary('tanh', matmul(x, w)))

const x = f32([2, 3])
const w = f32([3, 3], scaled(0.6))

const carries: LoopCase[] = [
  {
    name: 'one weight for all iterations',
    samples: { x, w },
    expression: (loop, { x, w }) => loop({ count: 4, carry: { x } }, ({ x }) => ({ carry: { x: cell(x, w) } })).carry.x,
  },
  {
    name: 'one iteration',
    samples: { x, w },
    expression: (loop, { x, w }) => loop({ count: 1, carry: { x } }, ({ x }) => ({ carry: { x: cell(x, w) } })).carry.x,
  },
  {
    name: 'a weight inside, before and after',
    samples: { x, w },
    expression: (loop, { x, w }) =>
      matmul(loop({ count: 3, carry: { x: matmul(x, w) } }, ({ x }) => ({ carry: { x: cell(x, w) } })).carry.x, w),
  },
  {
    name: 'input injection: a tensor from outside that is no parameter',
    samples: { x, u: w, w },
    expression(loop, { x, u, w }) {
      const injected = unary('tanh', matmul(x, u))
      const { carry } = loop({ count: 3, carry: { x } }, ({ x }) => ({ carry: { x: cell(add(x, injected), w) } }))
      return mul(carry.x, injected)
    },
  },
  {
    name: 'carries that change places, one handed on as it is, one left behind',
    samples: { a: x, b: x, c: x, d: x, w },
    expression(loop, { a, b, c, d, w }) {
      const { carry } = loop({ count: 3, carry: { a, b, c, d } }, ({ a, b, c, d }) => ({
        carry: { a: cell(add(b, d), w), b: add(a, c), c, d: mul(a, a) },
      }))
      return join(carry.a, carry.b, carry.c)
    },
  },
  {
    name: 'a carry that becomes an outer tensor, a weight, a constant',
    samples: { a: x, b: x, c: f32([2, 3]), outer: x, weight: x },
    expression(loop, { a, b, c, outer, weight }) {
      const o = unary('tanh', outer)
      const { carry } = loop({ count: 3, carry: { a, b, c } }, ({ a, b, c }) => ({
        carry: { a: add(mul(a, b), add(c, o)), b: o, c: weight },
      }))
      const constant = loop({ count: 2, carry: { c: carry.a } }, ({ c }) => ({ carry: { c: fill(c.shape, 2) } }))
      return join(carry.a, carry.b, carry.c, constant.carry.c)
    },
  },
  {
    name: 'integers that are carried: predictions fed back',
    samples: { table: f32([5, 3]), head: f32([5, 3]), ids: i32([2], below(5)) },
    expression(loop, { table, head, ids }) {
      const { carry, collected } = loop({ count: 3, carry: { ids, total: fill([2], 0) } }, ({ ids, total }) => {
        const { losses, predictions } = linearCrossEntropy(embed(table, ids), head, ids)
        return { carry: { ids: predictions, total: add(total, losses) }, collect: { losses } }
      })
      return join(carry.total, collected.losses, embed(table, carry.ids))
    },
  },
]

const stacks: LoopCase[] = [
  {
    name: 'a stack of weights, one an iteration',
    samples: { x, stack: f32([3, 3, 3], scaled(0.6)), gains: f32([3, 3], scaled(0.7)) },
    expression: (loop, { x, stack, gains }) =>
      loop({ count: 3, carry: { x }, scan: { w: stack, g: gains } }, ({ x }, { slices: { w, g } }) => ({
        carry: { x: mul(cell(x, w), g) },
      })).carry.x,
  },
  {
    name: 'a stack that was computed, and one of scalars',
    samples: { x, w: f32([6, 3]), scalars: f32([3]) },
    expression: (loop, { x, w, scalars }) =>
      loop(
        { count: 3, carry: { x }, scan: { row: reshape(unary('tanh', w), [3, 2, 3]), s: scalars } },
        ({ x }, { slices }) => ({ carry: { x: unary('tanh', add(mul(x, slices.s), slices.row)) } }),
      ).carry.x,
  },
  {
    name: 'collected states, before and after, and the last one',
    samples: { x, w },
    expression(loop, { x, w }) {
      const { carry, collected } = loop({ count: 3, carry: { x } }, ({ x: before }) => {
        const after = cell(before, w)
        return { carry: { x: after }, collect: { before, after, change: sub(after, before) } }
      })
      return join(collected.before, carry.x, mul(collected.after, collected.change))
    },
  },
  {
    name: 'collected states alone',
    samples: { x, w },
    expression: (loop, { x, w }) =>
      loop({ count: 3, carry: { x } }, ({ x }) => ({ carry: { x: cell(x, w) }, collect: { x } })).collected.x,
  },
  {
    name: 'a collected slice, outer tensor, weight and constant',
    samples: { x, stack: f32([2, 2, 3]), weight: x },
    expression(loop, { x, stack, weight }) {
      const outer = unary('square', x)
      const { collected } = loop({ count: 2, carry: { x }, scan: { row: stack } }, ({ x }, { slices: { row } }) => ({
        carry: { x },
        collect: { row, outer, weight, constant: fill([2, 3], 3), product: mul(row, x) },
      }))
      return join(mul(collected.row, collected.product), collected.outer, collected.weight, collected.constant)
    },
  },
  {
    name: 'a stack made by one loop and read by the next',
    samples: { x, w, u: w },
    expression(loop, { x, w, u }) {
      const first = loop({ count: 3, carry: { x } }, ({ x }) => ({ carry: { x: cell(x, w) }, collect: { x } }))
      return loop({ count: 3, carry: { x }, scan: { s: first.collected.x } }, ({ x }, { slices }) => ({
        carry: { x: cell(add(x, slices.s), u) },
      })).carry.x
    },
  },
  {
    name: 'step embedding: a row of a table by the index',
    samples: { x, w, table: f32([4, 3]), other: f32([4, 3]) },
    expression(loop, { x, w, table, other }) {
      const computed = mul(table, other)
      return loop({ count: 4, carry: { x } }, ({ x }, { index }) => ({
        carry: { x: cell(add(mul(x, takeRow(table, index)), takeRow(computed, index)), w) },
      })).carry.x
    },
  },
]

const bounded = [0, 1, 2, 3, 5].map(
  (runs): LoopCase => ({
    name: `${runs} runs of at most 3`,
    runs,
    samples: { x, stack: f32([3, 3, 3], scaled(0.6)), table: f32([3, 3]), runs: i32([], [runs]) },
    expression(loop, { x, stack, table, runs }) {
      const { carry, collected } = loop(
        { count: 3, carry: { x }, scan: { w: stack }, runs },
        ({ x }, { slices: { w }, index }) => {
          const next = add(cell(x, w), takeRow(table, index))
          return { carry: { x: next }, collect: { next } }
        },
      )
      return join(carry.x, unary('square', collected.next))
    },
  }),
)

const nested: LoopCase[] = [
  {
    name: 'a loop in a loop',
    samples: { x, w, u: w },
    expression: (loop, { x, w, u }) =>
      loop({ count: 2, carry: { x } }, ({ x: outer }) => ({
        carry: {
          x: cell(
            loop({ count: 3, carry: { x: outer } }, ({ x }) => ({ carry: { x: cell(add(x, outer), w) } })).carry.x,
            u,
          ),
        },
      })).carry.x,
  },
  {
    name: 'a loop in a loop: stacks of stacks, both indices, slices of slices',
    samples: { x, w, table: f32([3, 3]), stack: f32([2, 3, 3]), injected: x },
    expression(loop, { x, w, table, stack, injected }) {
      const hidden = unary('tanh', injected)
      const { carry, collected } = loop({ count: 2, carry: { x }, scan: { rows: stack } }, ({ x: outer }, at) => {
        const mine = mul(hidden, takeRow(table, at.index))
        const inner = loop(
          { count: 3, carry: { x: outer }, scan: { row: at.slices.rows } },
          ({ x }, { index, slices }) => {
            const next = cell(add(add(x, mine), add(slices.row, takeRow(table, index))), w)
            return { carry: { x: next }, collect: { next, mixed: mul(next, mul(outer, hidden)) } }
          },
        )
        return { carry: { x: add(inner.carry.x, outer) }, collect: { ...inner.collected, mine } }
      })
      return join(carry.x, collected.next, unary('square', collected.mixed), collected.mine)
    },
  },
  {
    name: 'three levels',
    samples: { x, w },
    expression: (loop, { x, w }) =>
      loop({ count: 2, carry: { x } }, ({ x: a }) => ({
        carry: {
          x: loop({ count: 2, carry: { x: a } }, ({ x: b }) => ({
            carry: {
              x: loop({ count: 2, carry: { x: b } }, ({ x: c }) => ({
                carry: { x: cell(add(mul(c, 0.5), mul(a, b)), w) },
              })).carry.x,
            },
          })).carry.x,
        },
      })).carry.x,
  },
  {
    name: 'two loops in a loop, one reading the stack of the other',
    samples: { x, w },
    expression: (loop, { x, w }) =>
      loop({ count: 2, carry: { x } }, ({ x: outer }) => {
        const first = loop({ count: 2, carry: { x: outer } }, ({ x }) => ({ carry: { x: cell(x, w) }, collect: { x } }))
        const second = loop({ count: 2, carry: { x: outer }, scan: first.collected }, ({ x }, { slices }) => ({
          carry: { x: cell(mul(x, slices.x), w) },
        }))
        return { carry: { x: add(first.carry.x, second.carry.x) } }
      }).carry.x,
  },
  {
    name: 'a bounded loop in a loop',
    runs: 2,
    samples: { x, w, runs: i32([], [2]) },
    expression: (loop, { x, w, runs }) =>
      loop({ count: 2, carry: { x }, runs }, ({ x: outer }) => {
        const inner = loop({ count: 3, carry: { x: outer }, runs }, ({ x }) => ({
          carry: { x: cell(x, w) },
          collect: { x: mul(x, outer) },
        }))
        return { carry: { x: add(inner.carry.x, slice(reshape(inner.collected.x, [6, 3]), 0, 1, 2)) } }
      }).carry.x,
  },
]

const models: LoopCase[] = [
  {
    name: 'three queries that read a memory again and again',
    samples: { x: f32([3, 4]), memory: f32([9, 4]), k: f32([4, 4]) },
    expression: (loop, { x, memory, k }) => {
      const keys = matmul(memory, k)
      return loop({ count: 4, carry: { x } }, ({ x }) => ({
        carry: { x: add(x, attention(x, keys, memory, { nHeads: 2, causal: false })) },
      })).carry.x
    },
  },
  {
    name: 'a looped transformer block',
    samples: {
      x: f32([5, 4]),
      gain: f32([4]),
      ...Object.fromEntries(['q', 'k', 'v', 'o', 'up', 'down'].map((n) => [n, f32([4, 4], scaled(0.5))])),
    },
    expression: (loop, { x, gain, q, k, v, o, up, down }) =>
      loop({ count: 3, carry: { x } }, ({ x }) => {
        const h = norm('rms', x, gain)
        const mixed = attention(matmul(h, q), matmul(h, k), matmul(h, v), { nHeads: 2, ropeBase: 100 })
        const y = add(x, matmul(mixed, o))
        return { carry: { x: add(y, matmul(unary('gelu', matmul(norm('layer', y, gain), up)), down)) } }
      }).carry.x,
  },
  {
    name: 'the head in the loop: a loss after every iteration',
    samples: { x: f32([4, 3]), w, head: f32([7, 3]), targets: i32([3, 4], below(7)) },
    expression(loop, { x, w, head, targets }) {
      const { collected } = loop({ count: 3, carry: { x } }, ({ x }, { index }) => {
        const next = cell(x, w)
        const { losses } = linearCrossEntropy(next, head, takeRow(targets, index))
        return { carry: { x: next }, collect: { losses } }
      })
      return collected.losses
    },
  },
  {
    name: 'another kind of model: input injection, a gated memory bank, linear attention, the head in the loop',
    samples: {
      x: f32([5, 4]),
      gain: f32([4]),
      memory: f32([3, 4]),
      head: f32([7, 4]),
      targets: i32([3, 5], below(7)),
      ...Object.fromEntries(['q', 'k', 'v', 'gate', 'lq', 'lk', 'lv'].map((n) => [n, f32([4, 4], scaled(0.5))])),
    },
    expression(loop, { x: input, gain, memory, head, targets, q, k, v, gate, lq, lk, lv }) {
      const feature = (t: Tensor) => unary('exp', mul(t, 0.7))
      const { carry, collected } = loop({ count: 3, carry: { x: input } }, ({ x }, { index }) => {
        const h = norm('rms', add(x, input), gain)
        const keys = matmul(norm('rms', memory, gain), k)
        const recalled = attention(matmul(h, q), keys, matmul(memory, v), { nHeads: 2, causal: false })
        const gated = mul(unary('sigmoid', matmul(h, gate)), recalled)
        const [query, key] = [feature(matmul(h, lq)), feature(matmul(h, lk))]
        const mixed = matmul(query, matmul(transpose(key), matmul(h, lv)))
        const next = add(add(x, gated), div(mixed, sumRows(mul(query, sumTo(key, [1, 4])))))
        const { losses } = linearCrossEntropy(next, head, takeRow(targets, index))
        return { carry: { x: next }, collect: { losses } }
      })
      return join(carry.x, collected.losses)
    },
  },
  {
    name: 'ops that move and choose rows, in a loop',
    samples: { x: f32([4, 3]), w, condition: f32([4, 1], offZero) },
    expression: (loop, { x, w, condition }) =>
      loop({ count: 3, carry: { x } }, ({ x }) => {
        const y = matmul(x, w)
        const moved = concat([slice(shift(y, 1), 1, 0, 2), slice(softmax(x), 1, 2, 1)], 1)
        return { carry: { x: where(unary('step', condition), add(moved, x), unary('silu', moved)) } }
      }).carry.x,
  },
]

export const loops: readonly LoopCase[] = [...carries, ...stacks, ...bounded, ...nested, ...models]
