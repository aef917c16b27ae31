/**
 * Cases of how values are handed about: what stands at the edges of loops and of Programs, and long chains.
 */
import { accumulate, input, output, parameter, type Tensor } from '../../graph/graph.ts'
import {
  add,
  embed,
  fill,
  linearCrossEntropy,
  matmul,
  mul,
  repeat,
  reshape,
  sub,
  sum,
  takeRow,
  unary,
} from '../../ops/index.ts'
import { type Case, forwardCase } from './case.ts'
import { below, i32 } from './data.ts'

const [T, d] = [3, 5]
const x = () => input('x', [T, d])
const y = () => input('y', [T, d])
const w = () => parameter('w', [d, d])

/** A loop of 3 iterations that carries a and b; all it gives is put out. */
function loopOf(
  first: { a: Tensor; b: Tensor },
  body: (
    carry: { a: Tensor; b: Tensor },
    at: { index: Tensor; slices: Record<string, Tensor> },
  ) => { carry: { a: Tensor; b: Tensor }; collect?: Record<string, Tensor> },
  scan: Record<string, Tensor> = {},
): void {
  const { carry, collected } = repeat({ count: 3, carry: first, scan }, body)
  for (const [name, tensor] of Object.entries({ ...carry, ...collected })) output(name, tensor)
}

const edges: [name: string, fn: () => void][] = [
  [
    'carries from one tensor',
    () => loopOf({ a: x(), b: x() }, ({ a, b }) => ({ carry: { a: add(a, b), b: mul(a, b) } })),
  ],
  [
    'carries from a weight and a constant',
    () =>
      loopOf({ a: parameter('v', [T, d]), b: fill([T, d], 0.5) }, ({ a, b }) => ({ carry: { a: add(a, b), b: a } })),
  ],
  ['carries that change places', () => loopOf({ a: x(), b: y() }, ({ a, b }) => ({ carry: { a: b, b: a } }))],
  ['a carry handed on as it is', () => loopOf({ a: x(), b: y() }, ({ a, b }) => ({ carry: { a, b: add(a, b) } }))],
  [
    'one value for both carries',
    () =>
      loopOf({ a: x(), b: y() }, ({ a, b }) => {
        const c = unary('tanh', add(a, b))
        return { carry: { a: c, b: c }, collect: { c, again: c } }
      }),
  ],
  [
    'a carry read after its next is made',
    () =>
      loopOf({ a: x(), b: y() }, ({ a, b }) => {
        const next = matmul(a, w())
        return { carry: { a: next, b: add(b, mul(a, next)) } }
      }),
  ],
  [
    'a carry collected before and after',
    () =>
      loopOf({ a: x(), b: y() }, ({ a, b }) => {
        const next = unary('tanh', add(a, b))
        return { carry: { a: next, b: a }, collect: { before: a, other: b, after: next } }
      }),
  ],
  [
    'carries that become slices',
    () =>
      loopOf({ a: x(), b: y() }, ({ a }, { slices: { s } }) => ({ carry: { a: s, b: a }, collect: { s } }), {
        s: input('s', [3, T, d]),
      }),
  ],
  [
    'one stack scanned twice',
    () => {
      const s = input('s', [3, T, d])
      loopOf({ a: x(), b: y() }, ({ a, b }, { slices }) => ({ carry: { a: add(a, slices.s), b: mul(b, slices.t) } }), {
        s,
        t: s,
      })
    },
  ],
  [
    'carries that become outer tensors, weights, constants',
    () => {
      const outer = unary('tanh', y())
      loopOf({ a: x(), b: y() }, ({ a, b }) => ({ carry: { a: outer, b: add(a, b) }, collect: { outer } }))
      const { carry } = repeat({ count: 2, carry: { p: x(), q: x() } }, ({ p }) => ({
        carry: { p: parameter('v', [T, d]), q: add(p, fill([T, d], 2)) },
      }))
      output('p', carry.p)
      output('q', carry.q)
      const constant = repeat({ count: 2, carry: { c: x() } }, () => ({
        carry: { c: fill([T, d], 3) },
        collect: { z: fill([2], 4) },
      }))
      output('c', constant.carry.c)
      output('z', constant.collected.z)
    },
  ],
  [
    'reshapes at every edge',
    () => {
      const { carry, collected } = repeat(
        { count: 2, carry: { v: reshape(x(), [T * d]) }, scan: { s: reshape(input('s', [2 * T, d]), [2, T, d]) } },
        ({ v }, { slices: { s } }) => {
          const m = reshape(v, [T, d])
          const next = add(reshape(s, [T, d]), matmul(m, w()))
          accumulate('flat', reshape(next, [T * d]))
          return { carry: { v: reshape(next, [T * d]) }, collect: { m, row: reshape(m, [1, T * d]) } }
        },
      )
      output('v', reshape(carry.v, [d, T]))
      output('m', reshape(collected.m, [2 * T * d]))
      output('row', collected.row)
      output('x', reshape(x(), [d, T]))
    },
  ],
  [
    'a carry that only changes its shape',
    () => {
      const { carry } = repeat({ count: 3, carry: { a: x(), b: input('z', [d, T]) } }, ({ a, b }) => ({
        carry: { a: reshape(b, [T, d]), b: reshape(a, [d, T]) },
      }))
      output('a', carry.a)
      output('b', carry.b)
    },
  ],
  [
    'an inner loop at every edge of an outer one',
    () =>
      loopOf(
        { a: x(), b: y() },
        ({ a, b }, { slices: { s } }) => {
          const inner = repeat({ count: 2, carry: { a, b: s } }, (c, { index }) => {
            const next = add(matmul(c.a, w()), takeRow(parameter('table', [2, d]), index))
            accumulate('inner', next)
            return { carry: { a: unary('tanh', next), b: add(c.b, b) }, collect: { next } }
          })
          accumulate('stacked', inner.collected.next)
          return {
            carry: { a: inner.carry.a, b: inner.carry.b },
            collect: { stack: inner.collected.next, last: inner.carry.a },
          }
        },
        { s: input('s', [3, T, d]) },
      ),
  ],
  [
    'a loop whose outputs nobody carries on',
    () => {
      const { collected } = repeat({ count: 3, carry: { a: x() } }, ({ a }) => {
        const next = unary('tanh', a)
        return { carry: { a: next }, collect: { norm: sum(mul(next, next)) } }
      })
      output('norms', collected.norm)
    },
  ],
  [
    'carries that nobody reads, in the loop or after it',
    () => {
      const carry = { x: x(), dead: y(), a: x(), b: y() }
      const { collected } = repeat({ count: 3, carry }, ({ x, dead, a, b }, { index }) => {
        accumulate('rows', takeRow(parameter('table', [3, d]), index))
        return { carry: { x: unary('tanh', x), dead: add(dead, x), a: b, b: a }, collect: { x } }
      })
      output('x', collected.x)
    },
  ],
  [
    'a loop without a carry',
    () => {
      repeat({ count: 3, carry: { x: x() } }, ({ x }, { index }) => {
        accumulate('rows', takeRow(parameter('table', [3, d]), index))
        return { carry: { x: unary('exp', x) } }
      })
    },
  ],
  [
    'integers: carried, collected, scanned, taken',
    () => {
      const table = parameter('table', [7, d])
      const { carry, collected } = repeat(
        { count: 3, carry: { ids: input('ids', [T], 'i32') }, scan: { targets: input('targets', [3, T], 'i32') } },
        ({ ids }, { slices }) => {
          const { losses, predictions } = linearCrossEntropy(
            embed(table, ids),
            parameter('head', [7, d]),
            slices.targets,
          )
          return { carry: { ids: predictions }, collect: { losses, ids } }
        },
      )
      output('last', carry.ids)
      output('ids', collected.ids)
      output('losses', collected.losses)
    },
  ],
]

const sums: [name: string, fn: () => void][] = [
  [
    'one value into two sums, an output and a product',
    () => {
      const m = matmul(x(), w())
      accumulate('one', m)
      accumulate('other', m)
      output('m', m)
      output('square', mul(m, m))
    },
  ],
  [
    'one value twice into one sum',
    () => {
      const m = add(x(), y())
      accumulate('sum', m)
      accumulate('sum', m)
    },
  ],
  [
    'sums of a constant, a weight, a slice, a carry and a stack',
    () => {
      const { collected } = repeat(
        { count: 3, carry: { a: x() }, scan: { s: input('s', [3, T, d]) } },
        ({ a }, { slices }) => {
          accumulate('constant', fill([2], 0.25))
          accumulate('weight', w())
          accumulate('slice', slices.s)
          accumulate('carry', a)
          const next = mul(a, slices.s)
          accumulate('next', next)
          return { carry: { a: next }, collect: { next } }
        },
      )
      accumulate('stack', collected.next)
    },
  ],
]

const numbered = (n: number) => Array.from({ length: n }, (_, i) => i)
const chains: [name: string, fn: () => void][] = [
  [
    '100 elementwise ops in a row',
    () => {
      const z = numbered(50).reduce((h, i) => mul(unary('tanh', h), i % 2 ? 1.5 : 0.75), x())
      output('z', z)
    },
  ],
  [
    'an elementwise tree of 60 tensors',
    () => {
      const leaves = numbered(60).map((i) => (i % 3 ? input(`x${i}`, [T, d]) : parameter(`w${i}`, [d])))
      output(
        'z',
        leaves.reduce((h, leaf, i) => (i % 2 ? add(h, leaf) : sub(h, leaf))),
      )
    },
  ],
  [
    '40 values kept of one chain',
    () => {
      numbered(40).reduce((h, i) => {
        const next = unary(i % 2 ? 'tanh' : 'exp', mul(h, 0.5))
        output(`h${i}`, next)
        return next
      }, x())
    },
  ],
]

const xw = () => matmul(x(), w())
const products: [name: string, fn: () => void][] = [
  ['an input and a product', () => output('z', add(x(), matmul(y(), w())))],
  ['a product and a weight', () => output('z', add(xw(), parameter('v', [T, d])))],
  ['two products', () => output('z', add(xw(), matmul(y(), parameter('v', [d, d]), { transposeB: true })))],
  ['a product and itself', () => output('z', add(xw(), xw()))],
  ['a product and a row', () => output('z', add(xw(), parameter('row', [d])))],
  ['a product in another shape', () => output('z', add(reshape(xw(), [d, T]), reshape(y(), [d, T])))],
  [
    'a product that is read twice, and a sum of three',
    () => {
      const product = xw()
      output('z', add(product, y()))
      output('all', add(add(matmul(y(), w()), product), matmul(product, w())))
    },
  ],
  [
    'a product of one sequence, and a sum that is accumulated',
    () => {
      accumulate('sum', add(matmul(x(), y(), { transposeA: true }), w()))
      accumulate('both', matmul(x(), y(), { transposeA: true }))
    },
  ],
  [
    'a carry and its product, and the slice beside it',
    () =>
      loopOf(
        { a: x(), b: y() },
        ({ a, b }, { slices }) => {
          const next = add(a, matmul(b, w()))
          return { carry: { a: next, b: add(matmul(next, w()), slices.s) }, collect: { next } }
        },
        { s: input('s', [3, T, d]) },
      ),
  ],
  [
    'a product made before what it is added to',
    () =>
      loopOf({ a: x(), b: y() }, ({ a, b }) => {
        const product = matmul(a, w())
        const other = unary('tanh', mul(b, a))
        return { carry: { a: other, b: add(other, product) } }
      }),
  ],
]

const followed: [name: string, fn: () => void][] = [
  ['a function', () => output('z', unary('gelu', xw()))],
  ['a function of many columns', () => output('z', unary('gelu', matmul(x(), parameter('wide', [d, 300]))))],
  [
    'rows, columns and numbers',
    () =>
      output(
        'z',
        mul(unary('tanh', add(add(xw(), parameter('row', [d])), input('column', [T, 1]))), parameter('scale', [])),
      ),
  ],
  ['another tensor of all', () => output('z', mul(xw(), parameter('v', [T, d])))],
  ['a sum and a function', () => output('z', unary('gelu', add(xw(), y())))],
  [
    'a function, and is read elsewhere',
    () => {
      const product = xw()
      output('z', unary('gelu', product))
      output('product', product)
      output('again', matmul(product, w()))
    },
  ],
  ['a sum over a batch', () => accumulate('sum', unary('gelu', xw()))],
  [
    'what becomes the operand of the next iteration',
    () =>
      loopOf({ a: x(), b: y() }, ({ a, b }) => ({
        carry: { a: unary('tanh', matmul(a, w())), b: unary('tanh', matmul(b, parameter('u', [d, d]))) },
      })),
  ],
  [
    'what is collected, and read on the way back',
    () => {
      const { carry, collected } = repeat({ count: 3, carry: { a: x() } }, ({ a }) => {
        const product = matmul(a, w())
        const next = unary('silu', product)
        return { carry: { a: next }, collect: { product, next } }
      })
      output('a', carry.a)
      output('stacks', mul(collected.product, collected.next))
    },
  ],
]

const samples = { ids: i32([T], below(7)), targets: i32([3, T], below(7)) }

export const structureCases: readonly Case[] = [
  ...edges,
  ...sums,
  ...chains,
  ...products.map(([name, fn]) => [`added: ${name}`, fn] as const),
  ...followed.map(([name, fn]) => [`a product followed by ${name}`, fn] as const),
].map(([name, fn]) => forwardCase(name, samples, fn))
