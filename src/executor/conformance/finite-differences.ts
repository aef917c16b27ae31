import { compileForward, compileTraining } from '../../compile/index.ts'
import { input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { mul, sum } from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import { sizeOf, type Values } from '../../tensor/type.ts'
import { referenceExecutor } from '../reference/index.ts'
import { drawAll, drawValues, f32, relativeError, type Sample } from './data.ts'
import { dataOf, runStep } from './step.ts'

export type Samples = Readonly<Record<string, Sample>>
export type Expression = (tensors: Record<string, Tensor>) => Tensor

export type Gradients = Record<string, Float32Array>

const executor = referenceExecutor()

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A, name: string) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))

const learnedOf = (values: Record<string, Values>) => Object.entries(values).filter(([, v]) => v.dtype === 'f32')

/** The weights of Σ weights · y, the scalar that gradients are taken of. */
const weightsFor = (n: number) => drawValues(f32([n]), new RandomStream(1, 'weights')).data as Float32Array

/** How an expression's inputs enter a graph. */
type Bind = (v: Values, name: string) => Tensor

const asInput: Bind = ({ shape, dtype }, name) => input(name, shape, dtype)
const asParameter: Bind = (v, name) => (v.dtype === 'f32' ? parameter(name, v.shape) : asInput(v, name))
/** A parameter times an input that is 1: the same numbers, but of each sequence, so that no op leaves the main Program. */
const asSequence: Bind = (v, name) =>
  v.dtype === 'f32' ? mul(parameter(name, v.shape), input('one', [])) : asInput(v, name)

async function compiledGradients(values: Record<string, Values>, expression: Expression, bind: Bind) {
  let loss!: Tensor
  let n = 0
  const graph = trace('compiled', () => {
    const y = expression(mapValues(values, bind))
    n = sizeOf(y.shape)
    loss = sum(mul(y, input('weights', y.shape)))
  })
  const data = dataOf(values)
  const inputs = { ...data, weights: weightsFor(n), one: Float32Array.of(1) }
  const { sums } = await runStep(executor, compileTraining(graph, loss), { count: 1, parameters: data, inputs })
  const gradients: Gradients = {}
  for (const [name, { data }] of learnedOf(values))
    gradients[name] = sums[`grad:${name}`] ?? new Float32Array(data.length)
  return gradients
}

/** Central differences by every element of every f32 input: one run whose sequences are the perturbed copies. */
async function numericGradients(values: Record<string, Values>, expression: Expression, step: number) {
  const graph = trace('numeric', () => output('y', expression(mapValues(values, asInput))))
  const learned = learnedOf(values)
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
  const weights = weightsFor(n)
  const gradients: Gradients = {}
  sequence = 0
  for (const [name, { data }] of learned) {
    gradients[name] = new Float32Array(data.length)
    for (let i = 0; i < data.length; i++) {
      const [up, down] = [sequence++, sequence++]
      const distance = inputs[name][up * data.length + i] - inputs[name][down * data.length + i]
      let change = 0
      for (let o = 0; o < n; o++) change += weights[o] * (y[up * n + o] - y[down * n + o])
      gradients[name][i] = change / distance
    }
  }
  return gradients
}

const samplesToValues = (samples: Samples) => drawAll(samples, 'gradients')

/** Gradients of Σ random weights · expression by the f32 inputs. */
export const gradientsOf = (samples: Samples, expression: Expression): Promise<Gradients> =>
  compiledGradients(samplesToValues(samples), expression, asSequence)

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
  const values = samplesToValues(samples)
  const numeric = await numericGradients(values, expression, step)
  const errors: Record<string, number> = {}
  for (const [suffix, bind] of [
    ['', asSequence],
    [' as parameter', asParameter],
  ] as const) {
    const compiled = await compiledGradients(values, expression, bind)
    for (const name of Object.keys(numeric)) errors[`${name}${suffix}`] = relativeError(compiled[name], numeric[name])
  }
  return errors
}
