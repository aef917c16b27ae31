import { describe, expect, it } from 'vitest'
import { f32, i32, masked, offZero, positive } from '../executor/conformance/data.ts'
import { type Expression, gradientErrors, type Samples } from '../executor/conformance/finite-differences.ts'
import { input, type Scope, trace } from '../graph/graph.ts'
import {
  add,
  apply,
  attention,
  broadcastTo,
  concat,
  div,
  embed,
  linearCrossEntropy,
  matmul,
  mul,
  norm,
  ops,
  reshape,
  rope,
  shift,
  slice,
  softmax,
  sub,
  sum,
  sumRows,
  sumTo,
  takeRow,
  transpose,
  type UnaryName,
  unary,
  where,
} from './index.ts'
import { padOp, reshapeOp } from './shape.ts'
import { putRowOp } from './take-row.ts'
import { unaryFunctions } from './unary.ts'

type Row = readonly [name: string, samples: Samples, expression: Expression]

const arithmetic = { add, sub, mul, div }
const shapes: [string, number[], number[]][] = [
  ['equal shapes', [3, 4], [3, 4]],
  ['a row', [3, 4], [4]],
  ['a row first', [4], [3, 4]],
  ['a row [1, C]', [3, 4], [1, 4]],
  ['a column', [3, 4], [3, 1]],
  ['a column first', [3, 1], [3, 4]],
  ['a row and a column', [4], [3, 1]],
  ['a scalar', [3, 4], []],
  ['a scalar first', [], [3, 4]],
  ['one element', [1, 1], [3, 4]],
  ['scalars', [], []],
  ['vectors', [5], [5]],
  ['three axes', [2, 3, 2], [2, 3, 2]],
  ['three axes and a scalar', [2, 3, 2], []],
]
const binaryRows = Object.entries(arithmetic).flatMap(([name, op]) =>
  shapes.map(([what, a, b]): Row => [`${name} of ${what}`, { a: f32(a), b: f32(b, positive) }, ({ a, b }) => op(a, b)]),
)

const needPositive = new Set(['log', 'sqrt', 'reciprocal'])
const unaryRows = (Object.keys(unaryFunctions) as UnaryName[])
  .filter((name) => ops.get(name)!.vjp && name !== 'step')
  .map(
    (name): Row => [name, { x: f32([3, 5], needPositive.has(name) ? positive : offZero) }, ({ x }) => unary(name, x)],
  )
  .concat([['abs at its kink', { x: f32([3], [-1, 0, 2]) }, ({ x }) => unary('abs', x)]])

const attentionSamples = (T: number, S: number, H: number, K: number, V: number): Samples => ({
  q: f32([T, H * K]),
  k: f32([S, H * K]),
  v: f32([S, H * V]),
})
const attentions: Row[] = [
  ['causal', attentionSamples(5, 5, 2, 4, 4), ({ q, k, v }) => attention(q, k, v, { nHeads: 2 })],
  [
    'one position',
    attentionSamples(1, 1, 1, 2, 2),
    ({ q, k, v }) => mul(attention(q, k, v, { nHeads: 1 }), add(sum(q), sum(k))),
  ],
  [
    'bidirectional, T ≠ S',
    attentionSamples(3, 5, 2, 3, 3),
    ({ q, k, v }) => attention(q, k, v, { nHeads: 2, causal: false }),
  ],
  [
    'more queries than keys',
    attentionSamples(5, 3, 1, 2, 2),
    ({ q, k, v }) => attention(q, k, v, { nHeads: 1, causal: false }),
  ],
  ['a scale', attentionSamples(4, 4, 2, 3, 3), ({ q, k, v }) => attention(q, k, v, { nHeads: 2, scale: 0.7 })],
  ['values wider than keys', attentionSamples(4, 4, 2, 3, 5), ({ q, k, v }) => attention(q, k, v, { nHeads: 2 })],
  ['values narrower than keys', attentionSamples(4, 4, 3, 4, 1), ({ q, k, v }) => attention(q, k, v, { nHeads: 3 })],
  [
    'heads of width 1',
    attentionSamples(5, 5, 3, 1, 1),
    ({ q, k, v }) => attention(q, k, v, { nHeads: 3, ropeBase: 100 }),
  ],
  [
    'heads of width 3, rope',
    attentionSamples(5, 5, 2, 3, 3),
    ({ q, k, v }) => attention(q, k, v, { nHeads: 2, ropeBase: 10 }),
  ],
  ['rope', attentionSamples(5, 5, 2, 4, 4), ({ q, k, v }) => attention(q, k, v, { nHeads: 2, ropeBase: 10 })],
  [
    'rope, bidirectional, T ≠ S',
    attentionSamples(3, 4, 1, 4, 2),
    ({ q, k, v }) => attention(q, k, v, { nHeads: 1, causal: false, ropeBase: 10 }),
  ],
  [
    'positions',
    { ...attentionSamples(5, 5, 1, 4, 4), positions: i32([5], [0, 1, 0, 7, 3]) },
    ({ q, k, v, positions }) => attention(q, k, v, { nHeads: 1, ropeBase: 10, positions }),
  ],
  [
    'segments',
    { ...attentionSamples(6, 6, 2, 2, 2), segments: i32([6], [0, 0, 1, 1, 1, 0]) },
    ({ q, k, v, segments }) => attention(q, k, v, { nHeads: 2, ropeBase: 10, segments }),
  ],
  [
    'segments, bidirectional',
    { ...attentionSamples(6, 6, 1, 3, 2), segments: i32([6], [2, 0, 2, 0, 0, 1]) },
    ({ q, k, v, segments }) => attention(q, k, v, { nHeads: 1, causal: false, segments }),
  ],
  [
    'a start, S > T',
    { ...attentionSamples(2, 7, 2, 4, 4), start: i32([], [3]) },
    ({ q, k, v, start }) => attention(q, k, v, { nHeads: 2, ropeBase: 10, start }),
  ],
  [
    'a start, bidirectional',
    { ...attentionSamples(2, 7, 2, 2, 3), start: i32([], [3]) },
    ({ q, k, v, start }) => attention(q, k, v, { nHeads: 2, ropeBase: 10, causal: false, start }),
  ],
  [
    'a start, positions and segments',
    {
      ...attentionSamples(3, 6, 1, 4, 4),
      start: i32([], [2]),
      positions: i32([6], [0, 1, 0, 1, 2, 3]),
      segments: i32([6], [0, 0, 1, 1, 1, 1]),
    },
    ({ q, k, v, start, positions, segments }) =>
      attention(q, k, v, { nHeads: 1, ropeBase: 10, start, positions, segments }),
  ],
  ['self-attention of one tensor', { x: f32([4, 6]) }, ({ x }) => attention(x, x, x, { nHeads: 2, ropeBase: 10 })],
]
const attentionRows = attentions.map(([name, ...rest]): Row => [`attention: ${name}`, ...rest])

const matmulRows = [false, true].flatMap((transposeA) =>
  [false, true].map(
    (transposeB): Row => [
      `matmul${transposeA ? ', A transposed' : ''}${transposeB ? ', B transposed' : ''}`,
      { a: f32(transposeA ? [4, 3] : [3, 4]), b: f32(transposeB ? [5, 4] : [4, 5]) },
      ({ a, b }) => matmul(a, b, { transposeA, transposeB }),
    ],
  ),
)

const normSamples = (T: number, d: number): Samples => ({ x: f32([T, d]), gain: f32([d]), bias: f32([d]) })
const normRows: Row[] = [
  ['rms norm', normSamples(3, 5), ({ x, gain }) => norm('rms', x, gain)],
  ['rms norm with a bias', normSamples(3, 5), ({ x, gain, bias }) => norm('rms', x, gain, bias)],
  ['layer norm', normSamples(3, 5), ({ x, gain }) => norm('layer', x, gain)],
  ['layer norm with a bias', normSamples(3, 5), ({ x, gain, bias }) => norm('layer', x, gain, bias)],
  ['a norm with a large eps', normSamples(1, 3), ({ x, gain, bias }) => norm('layer', x, gain, bias, 0.5)],
  ['rms norm of width 1', normSamples(3, 1), ({ x, gain }) => norm('rms', x, gain, undefined, 0.5)],
]

const otherRows: Row[] = [
  [
    'where',
    { c: f32([3, 4], offZero), a: f32([3, 4]), b: f32([3, 4]) },
    ({ c, a, b }) => where(unary('step', c), a, b),
  ],
  [
    'where, broadcast',
    { c: f32([3, 1], offZero), a: f32([4]), b: f32([]) },
    ({ c, a, b }) => where(unary('step', c), a, b),
  ],
  ['sumTo a scalar', { x: f32([3, 4]) }, ({ x }) => mul(sum(x), sum(x))],
  ['sumTo a row', { x: f32([3, 4]) }, ({ x }) => sumTo(x, [4])],
  ['sumTo a row [1, C]', { x: f32([3, 4]) }, ({ x }) => sumTo(x, [1, 4])],
  ['sumTo a column', { x: f32([3, 4]) }, ({ x }) => sumRows(x)],
  ['sumTo of a vector', { x: f32([4]) }, ({ x }) => sumRows(x)],
  ['sumTo of three axes', { x: f32([2, 3, 2]) }, ({ x }) => sum(x)],
  ['broadcastTo of a scalar', { x: f32([]) }, ({ x }) => broadcastTo(x, [3, 4])],
  ['broadcastTo of a scalar to three axes', { x: f32([]) }, ({ x }) => broadcastTo(x, [2, 3, 2])],
  ['broadcastTo of a row', { x: f32([4]) }, ({ x }) => broadcastTo(x, [3, 4])],
  ['broadcastTo of a column', { x: f32([3, 1]) }, ({ x }) => broadcastTo(x, [3, 4])],
  ['softmax', { x: f32([3, 5]) }, ({ x }) => softmax(x)],
  ['softmax of one column', { x: f32([3, 1]) }, ({ x }) => mul(softmax(x), x)],
  [
    'embed with repeated ids',
    { table: f32([4, 3]), ids: i32([6], [2, 0, 2, 2, 3, 0]) },
    ({ table, ids }) => embed(table, ids),
  ],
  [
    'linearCrossEntropy',
    { x: f32([5, 3]), w: f32([7, 3]), targets: i32([5], [6, 0, 3, 3, 1]) },
    ({ x, w, targets }) => linearCrossEntropy(x, w, targets).losses,
  ],
  [
    'linearCrossEntropy with masked targets',
    { x: f32([5, 3]), w: f32([2, 3]), targets: i32([5], [-1, 0, -100, 1, 1]) },
    ({ x, w, targets }) => linearCrossEntropy(x, w, targets).losses,
  ],
  [
    'linearCrossEntropy, everything masked but one',
    { x: f32([9, 2]), w: f32([5, 2]), targets: i32([9], (s) => masked(1)(s)) },
    ({ x, w, targets }) => linearCrossEntropy(x, w, targets).losses,
  ],
  ['slice of rows', { x: f32([5, 3]) }, ({ x }) => slice(x, 0, 1, 3)],
  ['slice of columns', { x: f32([3, 5]) }, ({ x }) => slice(x, 1, 2, 3)],
  ['a whole slice', { x: f32([3, 5]) }, ({ x }) => slice(x, 0, 0, 3)],
  ['pad of rows', { x: f32([2, 3]) }, ({ x }) => apply(padOp, [x], { axis: 0, start: 1, size: 5 })[0]],
  ['pad of columns', { x: f32([2, 3]) }, ({ x }) => apply(padOp, [x], { axis: 1, start: 2, size: 5 })[0]],
  ['concat of rows', { a: f32([2, 3]), b: f32([1, 3]), c: f32([4, 3]) }, ({ a, b, c }) => concat([a, b, c], 0)],
  ['concat of columns', { a: f32([3, 2]), b: f32([3, 1]) }, ({ a, b }) => concat([b, a, b], 1)],
  ...[0, 1, 2, 4, 5, 9, -1, -3, -4, -9].map(
    (by): Row => [`shift by ${by}`, { x: f32([5, 3]) }, ({ x }) => shift(x, by)],
  ),
  ['transpose', { x: f32([3, 5]) }, ({ x }) => transpose(x)],
  ['reshape', { x: f32([3, 4]) }, ({ x }) => reshape(x, [2, 6])],
  ['reshape to three axes', { x: f32([3, 4]) }, ({ x }) => reshape(x, [3, 2, 2])],
  ['reshape of a scalar', { x: f32([]) }, ({ x }) => apply(reshapeOp, [x], { shape: [1, 1] })[0]],
  ['takeRow', { x: f32([4, 3]), at: i32([], [2]) }, ({ x, at }) => takeRow(x, at)],
  ['takeRow of a vector', { x: f32([4]), at: i32([], [3]) }, ({ x, at }) => takeRow(x, at)],
  ['takeRow of three axes', { x: f32([3, 2, 2]), at: i32([], [0]) }, ({ x, at }) => takeRow(x, at)],
  ['rope', { x: f32([4, 6]), at: i32([], [3]) }, ({ x, at }) => rope(x, { nHeads: 2, base: 10, start: at })],
  [
    'rope of even heads',
    { x: f32([3, 8]), at: i32([], [0]) },
    ({ x, at }) => rope(x, { nHeads: 2, base: 100, start: at }),
  ],
  ['putRow', { x: f32([2, 3]), at: i32([], [1]) }, ({ x, at }) => apply(putRowOp, [x, at], { rows: 4 })[0]],
  ['one tensor twice', { x: f32([3, 3]) }, ({ x }) => mul(matmul(x, x), add(x, x))],
]

const rows: Row[] = [...binaryRows, ...unaryRows, ...matmulRows, ...normRows, ...attentionRows, ...otherRows]

describe('the gradient of', () => {
  it.each(rows)('%s', async (_, samples, expression) => {
    for (const [name, error] of Object.entries(await gradientErrors(samples, expression)))
      expect(error, name).toBeLessThan(5e-4)
  })

  it('every op that has one is among these', () => {
    const used = new Set<string>()
    const visit = ({ nodes }: Scope) => {
      for (const { op } of nodes) used.add(op)
    }
    for (const [, samples, expression] of rows)
      visit(
        trace('used', () => {
          const tensors = Object.entries(samples).map(([name, s]) => [name, input(name, s.shape, s.dtype)])
          expression(Object.fromEntries(tensors))
        }).scope,
      )
    const differentiable = [...ops.values()].filter((op) => op.vjp).map((op) => op.name)
    // These two let nothing through and have tests of their own.
    expect(differentiable.filter((name) => !used.has(name))).toEqual(['fill', 'stopGradient'])
  })
})
