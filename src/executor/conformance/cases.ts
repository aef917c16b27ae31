/**
 * Everything that executors must agree on.
 */
import { accumulate, input, output, parameter } from '../../graph/graph.ts'
import { add, matmul, mul, repeat, sum, unary } from '../../ops/index.ts'
import { attentionCases } from './attention-cases.ts'
import { type Case, forwardCase, trainingCases } from './case.ts'
import { below, f32, i32, scaled } from './data.ts'
import { loops } from './loops.ts'
import { opCases } from './op-cases.ts'
import { randomPrograms } from './random-cases.ts'
import { structureCases } from './structure-cases.ts'

const loopCases: Case[] = [
  ...loops.flatMap(({ name, samples, expression }) =>
    trainingCases(`loop: ${name}`, samples, (tensors) => expression(repeat, tensors)),
  ),
  ...trainingCases(
    'loop: each sequence with its own number of runs',
    { x: f32([3, 5]), w: f32([5, 5], scaled(0.4)), runs: i32([], below(5)) },
    ({ x, w, runs }) =>
      repeat({ count: 4, carry: { x }, runs }, ({ x }) => ({ carry: { x: unary('tanh', matmul(x, w)) } })).carry.x,
    5,
  ),
  ...trainingCases(
    'loop: many iterations',
    { x: f32([17, 40]), w: f32([40, 40], scaled(0.1)) },
    ({ x, w }) =>
      repeat({ count: 30, carry: { x } }, ({ x: h }) => ({ carry: { x: unary('tanh', add(matmul(h, w), x)) } })).carry
        .x,
  ),
  forwardCase('loop: sums inside, nested, and at the root', {}, () => {
    const w = parameter('w', [3])
    accumulate('a', w)
    const { carry } = repeat({ count: 3, carry: { x: input('x', [3]) } }, ({ x }) => {
      accumulate('a', x)
      const inner = repeat({ count: 2, carry: { x } }, ({ x }) => {
        accumulate('b', sum(x))
        return { carry: { x: mul(x, w) } }
      })
      return { carry: { x: add(inner.carry.x, x) } }
    })
    accumulate('a', carry.x)
    output('x', carry.x)
  }),
]

export const cases: readonly Case[] = [
  ...opCases,
  ...attentionCases,
  ...loopCases,
  ...structureCases,
  ...randomPrograms,
]
