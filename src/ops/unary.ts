import { addOutput, type Tensor } from '../graph/graph.ts'
import { div, mul, sub } from './arithmetic.ts'
import { apply, type Op, shapeError } from './op.ts'

const ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI)
const GELU_CUBIC = 0.044715

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

export type UnaryName =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'reciprocal'
  | 'square'
  | 'abs'
  | 'relu'
  | 'step'
  | 'gelu'
  | 'sigmoid'
  | 'silu'
  | 'softplus'
  | 'tanh'

interface Function1 {
  readonly f: (x: number) => number
  /**
   * One that costs next to nothing beside `f`: it becomes a second output where the gradient asks for it, in bf16 rounded as
   * operands of products are (ours), so that it can be kept in half the room.
   */
  readonly derivative?: (x: number) => number
  /** The cotangent of x, from that of y = f(x). */
  readonly back?: (ct: Tensor, x: Tensor, y: Tensor) => Tensor | undefined
}

/**
 * Functions of one number. `gelu` is the tanh approximation (Hendrycks & Gimpel 2016, as in GPT-2 and JAX's default);
 * `step` is 1 above 0, else 0.
 */
export const unaryFunctions: Readonly<Record<UnaryName, Function1>> = {
  neg: { f: (x) => -x, back: (ct) => unary('neg', ct) },
  exp: { f: Math.exp, back: (ct, _, y) => mul(ct, y) },
  log: { f: Math.log, back: (ct, x) => div(ct, x) },
  sqrt: { f: Math.sqrt, back: (ct, _, y) => div(mul(ct, 0.5), y) },
  reciprocal: { f: (x) => 1 / x, back: (ct, _, y) => unary('neg', mul(ct, unary('square', y))) },
  square: { f: (x) => x * x, back: (ct, x) => mul(ct, mul(x, 2)) },
  abs: { f: Math.abs, back: (ct, x) => mul(ct, sub(unary('step', x), unary('step', unary('neg', x)))) },
  relu: { f: (x) => (x > 0 || Number.isNaN(x) ? x : 0), back: (ct, x) => mul(ct, unary('step', x)) },
  step: { f: (x) => (x > 0 ? 1 : Number.isNaN(x) ? x : 0), back: () => undefined },
  gelu: {
    f: (x) => 0.5 * x * (1 + Math.tanh(ROOT_2_OVER_PI * (x + GELU_CUBIC * x * x * x))),
    derivative: (x) => {
      const t = Math.tanh(ROOT_2_OVER_PI * (x + GELU_CUBIC * x * x * x))
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT_2_OVER_PI * (1 + 3 * GELU_CUBIC * x * x)
    },
  },
  sigmoid: { f: sigmoid, back: (ct, _, y) => mul(ct, mul(y, sub(1, y))) },
  silu: { f: (x) => x * sigmoid(x), derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  softplus: {
    f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    back: (ct, x) => mul(ct, unary('sigmoid', x)),
  },
  tanh: { f: Math.tanh, back: (ct, _, y) => mul(ct, sub(1, unary('square', y))) },
}

function unaryOp(name: UnaryName): Op {
  const { f, derivative, back } = unaryFunctions[name]
  const vjp: Op['vjp'] = ({ inputs: [x], outputs: [y, slope], cotangents: [ct] }) => [
    derivative ? mul(ct!, slope ?? addOutput(y.node, y)) : back!(ct!, x, y),
  ]
  return {
    name,
    elementwise: true,
    infer([x]) {
      if (x.dtype !== 'f32') throw shapeError(name, [x], 'an f32 tensor')
      return [x]
    },
    vjp: derivative || back ? vjp : undefined,
    kernel([x], [y, slope], _, context) {
      const data = x.data as Float32Array
      if (slope) slope.data.set(context.operand(data.map(derivative!)))
      for (let i = 0; i < data.length; i++) y.data[i] = f(data[i])
    },
  }
}

export const unaryOps: readonly Op[] = (Object.keys(unaryFunctions) as UnaryName[]).map(unaryOp)
const byName = new Map(unaryOps.map((op) => [op.name, op]))

/** Applies a function to every element: `unary('gelu', x)`. */
export const unary = (name: UnaryName, x: Tensor): Tensor => apply(byName.get(name)!, [x])[0]
