import { RandomStream } from '../../tensor/random.ts'
import { type DType, sizeOf, type TensorType, type Values } from '../../tensor/type.ts'
import type { Numbers } from '../executor.ts'

/** One random number of a tensor. */
export type Draw = (stream: RandomStream) => number

export const normal: Draw = (stream) => stream.normal()
/** Normal numbers of another standard deviation. */
export const scaled =
  (std: number): Draw =>
  (stream) =>
    std * stream.normal()
/** 0.5 or more: for logarithms, roots and denominators. */
export const positive: Draw = (stream) => 0.5 + Math.abs(stream.normal())
/** Not within 0.1 of 0, where `abs` and `relu` have their kinks. */
export const offZero: Draw = (stream) => {
  const x = stream.normal()
  return x + 0.1 * Math.sign(x)
}
/** Whole numbers 0 … n − 1. */
export const below =
  (n: number): Draw =>
  (stream) =>
    stream.integer(n)
/** Token ids below n, one in four of them negative: a position without a target. */
export const masked =
  (n: number): Draw =>
  (stream) =>
    stream.integer(4) === 0 ? -1 : stream.integer(n)

/** A tensor of a test: its type, and its values or how to draw them. */
export interface Sample extends TensorType {
  readonly values: Draw | readonly number[]
}

const sample =
  (dtype: DType) =>
  (shape: readonly number[], values: Draw | readonly number[] = normal): Sample => ({ shape, dtype, values })

export const f32 = sample('f32')
export const i32 = sample('i32')

/** The values of `copies` samples of a type, one after the other. */
export function drawValues({ shape, dtype, values }: Sample, stream: RandomStream, copies = 1): Values {
  const n = copies * sizeOf(shape)
  const data = dtype === 'f32' ? new Float32Array(n) : new Int32Array(n)
  if (typeof values !== 'function' && copies * values.length !== n) throw new Error(`${values.length} values for ${n}`)
  for (let i = 0; i < n; i++) data[i] = typeof values === 'function' ? values(stream) : values[i % values.length]
  return { shape, dtype, data }
}

/** The values of several samples by name; each has a stream of its own, so that one more changes no other. */
export function drawAll(samples: Readonly<Record<string, Sample>>, seed: string): Record<string, Values> {
  const one = ([name, s]: [string, Sample]) => [name, drawValues(s, new RandomStream(1, seed, name))]
  return Object.fromEntries(Object.entries(samples).map(one))
}

/** ‖a − b‖², in f64; ‖a‖² without b. */
function squaredDistance(a: Numbers, b?: Numbers): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - (b ? b[i] : 0)) ** 2
  return sum
}

/** ‖a − b‖ / ‖b‖; 0 where both are 0, and NaN where either has a NaN. */
export function relativeError(a: Numbers, b: Numbers): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers beside ${b.length}`)
  const difference = squaredDistance(a, b)
  return difference === 0 ? 0 : Math.sqrt(difference / squaredDistance(b))
}

/** The same; but where b is 0 throughout, as a gradient that cancels is, the root mean square of a: data are of order 1. */
export const deviation = (a: Numbers, b: Numbers): number =>
  squaredDistance(b) === 0 ? Math.sqrt(squaredDistance(a) / Math.max(1, a.length)) : relativeError(a, b)
