/**
 * Cases of single ops and short chains, at ragged and tiny sizes: T rows, d columns, V ids.
 */
import { accumulate, input, output, parameter, type Tensor } from '../../graph/graph.ts'
import {
  add,
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
  shift,
  slice,
  softmax,
  stopGradient,
  sub,
  sum,
  sumRows,
  sumTo,
  takeRow,
  transpose,
  type UnaryName,
  unary,
  where,
} from '../../ops/index.ts'
import { unaryFunctions } from '../../ops/unary.ts'
import { sameShape } from '../../tensor/type.ts'
import { type Case, forwardCase, mixedCases, trainingCases } from './case.ts'
import { below, f32, i32, masked, offZero, positive, scaled } from './data.ts'

const lengths = [1, 3, 17, 33]
const widths = [1, 3, 32, 40, 96]

const products: Case[] = [
  ...lengths.flatMap((T) =>
    widths.flatMap((K, i) => {
      const N = widths[(i + T) % widths.length]
      return trainingCases(`x Wᵀ, [${T}, ${K}] · [${N}, ${K}]ᵀ`, { x: f32([T, K]), w: f32([N, K]) }, ({ x, w }) =>
        matmul(x, w, { transposeB: true }),
      )
    }),
  ),
  ...[
    [17, 40, 33],
    [1, 96, 3],
    [33, 1, 32],
    [70, 130, 65],
    [16, 512, 16],
  ].flatMap(([M, K, N]) =>
    [false, true].flatMap((transposeA) =>
      [false, true].flatMap((transposeB) =>
        trainingCases(
          `matmul ${M} × ${K} × ${N}${transposeA ? ', A transposed' : ''}${transposeB ? ', B transposed' : ''}`,
          { a: f32(transposeA ? [K, M] : [M, K]), b: f32(transposeB ? [N, K] : [K, N]) },
          ({ a, b }) => matmul(a, b, { transposeA, transposeB }),
        ),
      ),
    ),
  ),
  ...trainingCases('a product of a tensor with itself', { x: f32([17, 17]) }, ({ x }) => matmul(x, x)),
  ...[
    [17, 40, 96],
    [1, 3, 1],
  ].flatMap(([T, d, dFf]) =>
    trainingCases(
      `a feed-forward block [${T}, ${d}] → ${dFf} → ${d}`,
      { x: f32([T, d]), w: f32([dFf, d], scaled(0.2)), b: f32([dFf]), u: f32([d, dFf], scaled(0.2)), c: f32([d]) },
      ({ x, w, b, u, c }) =>
        add(x, add(matmul(unary('gelu', add(matmul(x, w, { transposeB: true }), b)), u, { transposeB: true }), c)),
    ),
  ),
  ...trainingCases(
    'a gated feed-forward block',
    { x: f32([17, 40]), gate: f32([33, 40], scaled(0.2)), up: f32([33, 40], scaled(0.2)), down: f32([40, 33]) },
    ({ x, gate, up, down }) => {
      const [g, u] = [matmul(x, gate, { transposeB: true }), matmul(x, up, { transposeB: true })]
      return matmul(mul(unary('silu', g), u), down, { transposeB: true })
    },
  ),
]

const needPositive = new Set(['log', 'sqrt', 'reciprocal'])
const withoutDerivative = (Object.keys(unaryFunctions) as UnaryName[]).filter((name) => !ops.get(name)!.vjp)

const unaries: Case[] = [
  ...(Object.keys(unaryFunctions) as UnaryName[])
    .filter((name) => !withoutDerivative.includes(name))
    .flatMap((name) =>
      [[], [3], [17, 40], [33, 96], [2, 3, 5]].flatMap((shape) =>
        trainingCases(
          `${name} of [${shape}]`,
          { x: f32(shape, needPositive.has(name) ? positive : offZero) },
          ({ x }) => unary(name, x),
        ),
      ),
    ),
  ...withoutDerivative.map((name) =>
    forwardCase(name, { x: f32([17, 40]) }, () => output('y', unary(name, input('x', [17, 40])))),
  ),
  forwardCase('functions far from zero', { x: f32([8], [-1e4, -90, -20, -1e-4, 1e-4, 20, 80, 1e4]) }, () => {
    for (const name of ['sigmoid', 'silu', 'softplus', 'tanh', 'gelu'] as const)
      output(name, unary(name, input('x', [8])))
  }),
]

const pairs: [number[], number[]][] = [
  [
    [17, 40],
    [17, 40],
  ],
  [[17, 40], [40]],
  [
    [17, 40],
    [1, 40],
  ],
  [
    [17, 40],
    [17, 1],
  ],
  [[17, 40], []],
  [
    [17, 40],
    [1, 1],
  ],
  [[17, 1], [40]],
  [[], [3]],
  [[1, 1], [1]],
  [
    [2, 3, 5],
    [2, 3, 5],
  ],
  [[2, 3, 5], []],
]

const elementwise: Case[] = [
  ...Object.entries({ add, sub, mul, div }).flatMap(([name, op]) =>
    [...pairs, ...pairs.filter(([a, b]) => !sameShape(a, b)).map(([a, b]) => [b, a])].flatMap(([a, b]) =>
      trainingCases(`${name} of [${a}] and [${b}]`, { a: f32(a), b: f32(b, positive) }, ({ a, b }) => op(a, b)),
    ),
  ),
  ...pairs.flatMap(([a, b]) =>
    trainingCases(`where of [${a}], [${b}]`, { c: f32(a, offZero), a: f32(a), b: f32(b) }, ({ c, a, b }) =>
      where(unary('step', c), a, b),
    ),
  ),
  ...trainingCases(
    'a long chain of rows, columns and scalars',
    { x: f32([17, 40]), row: f32([40], positive), column: f32([17, 1], positive), s: f32([], positive) },
    ({ x, row, column, s }) => {
      const y = div(add(mul(x, row), column), s)
      const z = sub(unary('tanh', y), mul(unary('sigmoid', x), sub(1, column)))
      return add(mul(where(unary('step', x), y, z), s), unary('square', sub(row, z)))
    },
  ),
  ...[[], [1], [40], [1, 40], [17, 1]].flatMap((shape) => [
    ...trainingCases(`sumTo [${shape}]`, { x: f32([17, 40]) }, ({ x }) => sumTo(unary('square', x), shape)),
    ...trainingCases(`broadcastTo from [${shape}]`, { x: f32(shape) }, ({ x }) =>
      broadcastTo(unary('square', x), [17, 40]),
    ),
  ]),
  ...trainingCases('sums of vectors and stacks', { x: f32([33]), y: f32([2, 3, 5]) }, ({ x, y }) =>
    mul(sum(x), sum(y)),
  ),
]

const norms: Case[] = [
  [1, 3],
  [3, 3],
  [17, 32],
  [33, 40],
  [17, 96],
  [3, 130],
].flatMap(([T, d]) => {
  const samples = { x: f32([T, d]), gain: f32([d]), bias: f32([d]) }
  return [
    ...trainingCases(`rms norm [${T}, ${d}]`, samples, ({ x, gain }) => norm('rms', x, gain)),
    ...trainingCases(`layer norm [${T}, ${d}]`, samples, ({ x, gain }) => norm('layer', x, gain)),
    ...trainingCases(`layer norm with a bias [${T}, ${d}]`, samples, ({ x, gain, bias }) =>
      norm('layer', x, gain, bias, 0.1),
    ),
    ...trainingCases(`softmax [${T}, ${d}]`, { x: f32([T, d]) }, ({ x }) => softmax(x)),
  ]
})
const narrowNorms = trainingCases('rms norm of width 1', { x: f32([17, 1]), gain: f32([1]) }, ({ x, gain }) =>
  norm('rms', x, gain, undefined, 0.5),
)

const vocabularies: [V: number, T: number, d: number][] = [
  [2, 3, 1],
  [7, 1, 3],
  [7, 17, 3],
  [64, 33, 32],
  [1000, 17, 40],
  [33000, 3, 3],
]
const tokens: Case[] = vocabularies.flatMap(([V, T, d]) => {
  const head = { x: f32([T, d], scaled(0.5 * d ** -0.5)), w: f32([V, d]), targets: i32([T], masked(V)) }
  return [
    ...trainingCases(`embed ${T} of ${V} × ${d}`, { ids: i32([T], below(V)), table: f32([V, d]) }, ({ table, ids }) =>
      embed(table, ids),
    ),
    ...trainingCases(
      `cross-entropy [${T}, ${d}] over ${V}`,
      head,
      ({ x, w, targets }) => linearCrossEntropy(x, w, targets).losses,
    ),
    forwardCase(`predictions [${T}, ${d}] over ${V}`, head, () => {
      const { losses, predictions } = linearCrossEntropy(
        input('x', [T, d]),
        parameter('w', [V, d]),
        input('targets', [T], 'i32'),
      )
      output('predictions', predictions)
      accumulate('loss', sum(losses))
    }),
  ]
})

const moves: Case[] = [
  [17, 40],
  [3, 3],
  [33, 1],
].flatMap(([T, d]) => {
  const one = (name: string, fn: (x: Tensor) => Tensor) =>
    trainingCases(`${name} [${T}, ${d}]`, { x: f32([T, d]) }, ({ x }) => fn(unary('tanh', x)))
  const two = { a: f32([T, d]), b: f32([T, d]) }
  return [
    ...one('slice of rows', (x) => slice(x, 0, 1, T - 2)),
    ...one('the last column', (x) => slice(x, 1, d - 1, 1)),
    ...[0, 1, -2, T - 1, T, -T - 5].flatMap((by) => one(`shift by ${by}`, (x) => shift(x, by))),
    ...one('transpose', transpose),
    ...one('reshape', (x) => reshape(x, [d, T])),
    ...trainingCases(`concat of rows [${T}, ${d}]`, two, ({ a, b }) => concat([a, slice(b, 0, 0, 1), b], 0)),
    ...trainingCases(`concat of columns [${T}, ${d}]`, two, ({ a, b }) => concat([slice(b, 1, 0, 1), a, b], 1)),
    ...trainingCases(
      `takeRow of 4 × [${T}, ${d}]`,
      { stack: f32([4, T, d]), table: f32([4, d]), at: i32([], below(4)) },
      ({ stack, table, at }) => mul(takeRow(stack, at), takeRow(table, at)),
    ),
  ]
})

const mixtures: Case[] = [
  ...mixedCases('matmul', { a: f32([5, 7]), b: f32([7, 3]) }, ({ a, b }) => matmul(a, b)),
  ...mixedCases('rms norm', { x: f32([5, 7]), gain: f32([7]) }, ({ x, gain }) => norm('rms', x, gain)),
  ...mixedCases('layer norm', { x: f32([5, 7]), gain: f32([7]), bias: f32([7]) }, ({ x, gain, bias }) =>
    norm('layer', x, gain, bias),
  ),
  ...mixedCases(
    'cross-entropy',
    { x: f32([5, 7]), w: f32([9, 7]), targets: i32([5], masked(9)) },
    ({ x, w, targets }) => linearCrossEntropy(x, w, targets).losses,
  ),
  ...mixedCases('where', { c: f32([5, 7], offZero), a: f32([5, 1]), b: f32([7]) }, ({ c, a, b }) =>
    where(unary('step', c), a, b),
  ),
]

const oddities: Case[] = [
  forwardCase(
    'outputs that are sources, constants, and one value twice',
    { n: i32([3], below(9)), at: i32([], below(3)) },
    () => {
      const [x, w] = [input('x', [3, 2]), parameter('w', [3, 2])]
      output('x', x)
      output('w', w)
      output('integers', input('n', [3], 'i32'))
      output('row of integers', takeRow(input('n', [3], 'i32'), input('at', [], 'i32')))
      const y = add(x, w)
      output('y', y)
      output('y again', y)
      output('constant', sub(mul(x, 0), 7))
    },
  ),
  forwardCase('integers that are cut, joined and shifted', { n: i32([4, 3], below(9)) }, () => {
    const n = input('n', [4, 3], 'i32')
    output('rows', concat([slice(n, 0, 1, 2), shift(n, 2), n], 0))
    output('columns', concat([slice(n, 1, 2, 1), shift(n, -1)], 1))
  }),
  forwardCase('predictions alone', { targets: i32([5], masked(9)) }, () => {
    const targets = input('targets', [5], 'i32')
    output('predictions', linearCrossEntropy(input('x', [5, 7]), parameter('w', [9, 7]), targets).predictions)
  }),
  forwardCase('sums at the root: of a source, a weight, the same one twice', {}, () => {
    const [x, w] = [input('x', [3, 2]), parameter('w', [3, 2])]
    accumulate('x', x)
    accumulate('x', mul(x, w))
    accumulate('w', w)
    accumulate('scalar', sum(sumRows(x)))
  }),
  ...trainingCases('a stopped gradient', { x: f32([3, 2]), w: f32([3, 2]) }, ({ x, w }) =>
    mul(x, add(w, unary('exp', stopGradient(unary('tanh', w))))),
  ),
]

export const opCases: readonly Case[] = [
  ...products,
  ...unaries,
  ...elementwise,
  ...norms,
  ...narrowNorms,
  ...tokens,
  ...moves,
  ...mixtures,
  ...oddities,
]
