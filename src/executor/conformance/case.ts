import { compileForward, compileTraining, type Instruction, type Program } from '../../compile/index.ts'
import { input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { mul, sum } from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import type { TensorType } from '../../tensor/type.ts'
import type { Numbers, Run } from '../executor.ts'
import { type Draw, drawValues, normal, type Sample } from './data.ts'

/** A Program with data, on which all executors must agree. */
export interface Case {
  readonly name: string
  readonly program: Program
  /** The same data each time; states, which a run changes, in arrays of its own. */
  run(): Run
  /** No sum has more terms than this, of a product or over the iterations of a loop: rounding errors grow with its root. */
  readonly terms: number
}

type Samples = Readonly<Record<string, Sample>>

const COUNT = 3
const factor: Draw = (stream) => 0.5 + stream.uniform()

const longestAxis = ({ values }: Program): number => values.reduce((most, { shape }) => Math.max(most, ...shape), 1)

/** Iterations of the deepest nest of loops. */
const iterations = (instructions: readonly Instruction[]): number =>
  Math.max(
    1,
    ...instructions.map((i) => (i.block ? (i.attributes.count as number) * iterations(i.block.instructions) : 1)),
  )

/** A Program with random data: of the sample of that name, or else normal numbers. */
export function programCase(name: string, program: Program, samples: Samples = {}, count = COUNT): Case {
  let drawn: Run | undefined
  const draw = (bindings: readonly (TensorType & { name: string })[], copies: number) =>
    Object.fromEntries(
      bindings.map((b, i): [string, Numbers] => {
        const sample = samples[b.name] ?? { ...b, values: b.name.endsWith(factorSuffix) ? factor : normal }
        if (b.dtype === 'i32' && !samples[b.name]) throw new Error(`${name} has no sample for the integers ${b.name}`)
        return [b.name, drawValues(sample, new RandomStream(1, name, i), copies).data]
      }),
    )
  return {
    name,
    program,
    terms: longestAxis(program) * iterations(program.instructions),
    run() {
      drawn ??= {
        count,
        parameters: draw(program.parameters, 1),
        inputs: draw(program.inputs, count),
        states: draw(program.states, count),
      }
      return { ...drawn, states: structuredClone(drawn.states) }
    },
  }
}

/** A case of a traced function's outputs and sums. */
export const forwardCase = (name: string, samples: Samples, fn: () => void, count = COUNT): Case =>
  programCase(name, compileForward(trace('case', fn)).main, samples, count)

const factorSuffix = '.factor'

/** A learned tensor that each sequence scales for itself: its gradient is wanted, and no two sequences are alike. */
const ofSequence = (name: string, { shape }: Sample): Tensor =>
  mul(parameter(name, shape), input(`${name}${factorSuffix}`, shape))

/**
 * An expression of the samples, forward and backward: the value, and the gradients of Σ random weights · value. Twice:
 * with every tensor of the sequence, and with all but the first as bare weights; what then depends on weights alone is
 * a case of its own, and so is the way back through it.
 */
export function trainingCases(
  name: string,
  samples: Samples,
  expression: (tensors: Record<string, Tensor>) => Tensor,
  count = COUNT,
): Case[] {
  const compile = (bare: (name: string) => boolean) => {
    let loss!: Tensor
    const graph = trace('case', () => {
      const tensors = Object.entries(samples).map(([n, s]) => {
        if (s.dtype === 'i32') return [n, input(n, s.shape, 'i32')]
        return [n, bare(n) ? parameter(n, s.shape) : ofSequence(n, s)]
      })
      const y = expression(Object.fromEntries(tensors))
      output('y', y)
      loss = sum(mul(y, input('weights', y.shape)))
    })
    return compileTraining(graph, loss)
  }
  const [first, ...others] = Object.entries(samples)
  const cases = [programCase(name, compile(() => false).main, samples, count)]
  if (others.every(([, s]) => s.dtype === 'i32')) return cases
  const { main, derive, pullback } = compile((n) => n !== first[0])
  cases.push(programCase(`${name}, with weights`, main, samples, count))
  if (derive) cases.push(programCase(`${name}, derived`, derive, samples, 1))
  if (pullback?.sums.length) cases.push(programCase(`${name}, pulled back`, pullback, samples, 1))
  return cases
}
