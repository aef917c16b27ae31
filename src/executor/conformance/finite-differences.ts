import { compileForward, compileTraining } from '../../compile/index.ts'
import { input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { mul, sum } from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import type { Values } from '../../tensor/type.ts'
import { referenceExecutor } from '../reference/index.ts'
import { drawAll, relativeError, type Sample } from './data.ts'
import { dataOf, runStep } from './step.ts'

export type Samples = Readonly<Record<string, Sample>>
export type Expression = (tensors: Record<string, Tensor>) => Tensor

type Gradients = Record<string, Float32Array>

const executor = referenceExecutor()

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A, name: string) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))

const asInput = ({ shape, dtype }: Values, name: string): Tensor => input(name, shape, dtype)
const asParameter = (v: Values, name: string): Tensor =>
  v.dtype === 'f32' ? parameter(name, v.shape) : asInput(v, name)
/** A parameter times an input that is 1: the same numbers, but of each sequence, so that no op leaves the main Program. */
const asSequence = (v: Values, name: string): Tensor =>
  v.dtype === 'f32' ? mul(parameter(name, v.shape), input('one', [])) : asInput(v, name)

/** Gradients of Σ weights · expression by its f32 inputs, from the compiled Programs of a training step. */
async function compiledGradients(
  values: Record<string, Values>,
  expression: Expression,
  weights: Float32Array,
  bind: (v: Values, name: string) => Tensor,
): Promise<Gradients> {
  let loss!: Tensor
  const graph = trace('compiled', () => {
    const y = expression(mapValues(values, bind))
    loss = sum(mul(y, input('weights', y.shape)))
  })
  const data = dataOf(values)
  const inputs = { ...data, weights, one: Float32Array.of(1) }
  const { sums } = await runStep(executor, compileTraining(graph, loss), { count: 1, parameters: data, inputs })
  const learned = Object.entries(values).filter(([, v]) => v.dtype === 'f32')
  return Object.fromEntries(
    learned.map(([name, { data }]) => [name, sums[`grad:${name}`] ?? new Float32Array(data.length)]),
  )
}

/** Central differences by every element of every f32 input: one run whose sequences are the perturbed copies. */
async function numericGradients(values: Record<string, Values>, expression: Expression, step: number) {
  const graph = trace('numeric', () => output('y', expression(mapValues(values, asInput))))
  const learned = Object.entries(values).filter(([, v]) => v.dtype === 'f32')
  const count = 2 * learned.reduce((n, [, v]) => n + v.data.length, 0)
  const inputs = mapValues(values, ({ data }) => {
    const copies =
      data instanceof Float32Array ? new Float32Array(count * data.length) : new Int32Array(count * data.length)
    for (let s = 0; s < count; s++) copies.set(data, s * data.length)
    return copies
  })
  let sequence = 0
  for (const [name, { data }] of learned)
    for (let i = 0; i < data.length; i++) {
      inputs[name][sequence++ * data.length + i] += step
      inputs[name][sequence++ * data.length + i] -= step
    }
  const { y } = await executor.compile(compileForward(graph).main).run({ count, inputs })

  const n = y.length / count
  const weights = new Float32Array(n)
  const stream = new RandomStream(1, 'weights')
  for (let i = 0; i < n; i++) weights[i] = stream.normal()
  sequence = 0
  const numeric: Gradients = {}
  for (const [name, { data }] of learned) {
    numeric[name] = new Float32Array(data.length)
    for (let i = 0; i < data.length; i++) {
      const [up, down] = [sequence++, sequence++]
      const distance = inputs[name][up * data.length + i] - inputs[name][down * data.length + i]
      let change = 0
      for (let o = 0; o < n; o++) change += weights[o] * (y[up * n + o] - y[down * n + o])
      numeric[name][i] = change / distance
    }
  }
  return { numeric, weights }
}

/**
 * How far compiled gradients of an expression are from central differences, by input, relative to the gradient. Each
 * input stands for a tensor of the sequence once, and once for a bare parameter (`… as parameter`): work on parameters
 * alone goes another way, through the derive and pullback Programs.
 */
export async function gradientErrors(
  samples: Samples,
  expression: Expression,
  { step = 2 ** -7 } = {},
): Promise<Record<string, number>> {
  const values = drawAll(samples, 'gradients')
  const { numeric, weights } = await numericGradients(values, expression, step)
  const errors: Record<string, number> = {}
  for (const [suffix, bind] of [
    ['', asSequence],
    [' as parameter', asParameter],
  ] as const) {
    const compiled = await compiledGradients(values, expression, weights, bind)
    for (const name of Object.keys(numeric)) errors[`${name}${suffix}`] = relativeError(compiled[name], numeric[name])
  }
  return errors
}
