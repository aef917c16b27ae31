/**
 * Programs that nobody thought of: random graphs of [T, d] matrices with nested loops, forward and backward.
 */
import { accumulate, input, output, parameter, type Tensor } from '../../graph/graph.ts'
import {
  add,
  attention,
  concat,
  matmul,
  mul,
  norm,
  repeat,
  shift,
  slice,
  softmax,
  sub,
  sumRows,
  sumTo,
  takeRow,
  type UnaryName,
  unary,
  where,
} from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import { type Case, forwardCase, trainingCases } from './case.ts'
import { below, f32, i32 } from './data.ts'

const MAX_LOOP_DEPTH = 2
const smooth: readonly UnaryName[] = ['tanh', 'sigmoid', 'gelu', 'silu', 'softplus', 'neg']

/** Keeps values of order 1 and off the flat ends of tanh, where f32 has no derivative left. */
const small = (x: Tensor): Tensor => unary('tanh', mul(x, 0.2))

/** Writes a random body: from some `[T, d]` tensors to others. */
class Author {
  private parameters = 0
  constructor(
    private readonly random: RandomStream,
    private readonly T: number,
    private readonly d: number,
  ) {}

  private pick<A>(items: readonly A[]): A {
    return items[this.random.integer(items.length)]
  }

  private weight = (...shape: number[]): Tensor => parameter(`w${this.parameters++}`, shape)

  /** One more tensor, of order 1, from those that are there. */
  private step(have: readonly Tensor[], index: Tensor | undefined, depth: number): Tensor[] {
    const { T, d } = this
    const [a, b] = [this.pick(have), this.pick(have)]
    const choices: (() => Tensor | Tensor[])[] = [
      () => mul(add(a, b), 0.5),
      () => mul(sub(a, b), 0.5),
      () => unary('tanh', mul(a, b)),
      () => unary(this.pick(smooth), a),
      () => small(matmul(a, this.weight(d, d))),
      () => small(add(matmul(a, this.weight(d, d), { transposeB: true }), this.weight(d))),
      () => small(matmul(matmul(a, b, { transposeB: true }), b)),
      () =>
        norm(this.pick(['rms', 'layer']), a, this.weight(d), this.random.integer(2) ? this.weight(d) : undefined, 0.1),
      () => softmax(a),
      () => shift(a, this.random.integer(2 * T + 1) - T),
      () => concat([slice(a, 0, 1, T - 1), slice(b, 0, 0, 1)], 0),
      () => concat([slice(a, 1, d - 1, 1), slice(b, 1, 0, d - 1)], 1),
      () => mul(a, small(sumRows(b))),
      () => add(a, small(sumTo(b, [d]))),
      () => where(unary('step', a), b, unary('tanh', a)),
      () =>
        attention(a, b, this.pick(have), {
          nHeads: d % 2 ? 1 : 2,
          ropeBase: this.pick([0, 100]),
          causal: !!this.random.integer(2),
        }),
      () => (index ? mul(a, takeRow(this.weight(3, d), index)) : a),
    ]
    if (depth < MAX_LOOP_DEPTH) choices.push(...Array(4).fill(() => this.loop(have, depth)))
    const made = this.pick(choices)()
    return Array.isArray(made) ? made : [made]
  }

  private loop(have: readonly Tensor[], depth: number): Tensor[] {
    const names = ['p', 'q', 'r'].slice(0, 1 + this.random.integer(3))
    const first = Object.fromEntries(names.map((name) => [name, this.pick(have)]))
    const keep = { count: 3, collect: this.random.integer(2) > 0 }
    const outer = this.random.integer(2) ? have.slice(-2) : []
    const earlier = repeat({ count: keep.count, carry: { x: this.pick(have) } }, ({ x }) => {
      const next = unary('tanh', add(x, x))
      return { carry: { x: next }, collect: { next } }
    })
    const scan = this.random.integer(2) ? { s: earlier.collected.next } : undefined
    const { carry, collected } = repeat({ count: keep.count, carry: first, scan }, (inside, { index, slices }) => {
      const made = this.body([...Object.values(inside), ...Object.values(slices), ...outer], index, depth + 1)
      const next = Object.fromEntries(names.map((name) => [name, this.pick(made)]))
      return { carry: next, collect: keep.collect ? { seen: this.pick(made), also: this.pick(made) } : undefined }
    })
    const at = input('at', [], 'i32')
    return [...Object.values(carry), ...Object.values(collected).map((stack) => takeRow(stack, at))]
  }

  body(given: readonly Tensor[], index: Tensor | undefined, depth: number): Tensor[] {
    const have = [...given]
    const steps = 3 + this.random.integer(4)
    for (let i = 0; i < steps; i++) have.push(...this.step(have, index, depth))
    if (this.random.integer(3) === 0) accumulate(`sum${this.parameters++}`, have.at(-1)!)
    return have
  }
}

function randomCases(seed: number): Case[] {
  const random = new RandomStream(seed, 'programs')
  const [T, d] = [2 + random.integer(7), 2 + random.integer(9)]
  const samples = { x: f32([T, d]), y: f32([T, d]), at: i32([], below(3)) }
  const write = (x: Tensor, y: Tensor) => new Author(new RandomStream(seed, 'body'), T, d).body([x, y], undefined, 0)
  return [
    forwardCase(`random ${seed}`, samples, () => {
      for (const [i, tensor] of write(input('x', [T, d]), input('y', [T, d])).entries()) output(`${i}`, tensor)
    }),
    ...trainingCases(`random ${seed}, back`, samples, ({ x, y }) => write(x, y).reduce((sum, t) => add(sum, t))).slice(
      0,
      1,
    ),
  ]
}

export const randomPrograms: readonly Case[] = Array.from({ length: 60 }, (_, seed) => randomCases(seed)).flat()
