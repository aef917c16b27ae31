import {
  compileForward,
  compileTraining,
  type Instruction,
  type Program,
  type TrainingPrograms,
} from '../../compile/index.ts'
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
  const draw = (kind: string, bindings: readonly (TensorType & { name: string })[], copies: number) =>
    Object.fromEntries(
      bindings.map((b, i): [string, Numbers] => {
        const sample = samples[b.name] ?? { ...b, values: b.name.endsWith(factorSuffix) ? factor : normal }
        if (b.dtype === 'i32' && !samples[b.name]) throw new Error(`${name} has no sample for the integers ${b.name}`)
        return [b.name, drawValues(sample, new RandomStream(1, name, kind, i), copies).data]
      }),
    )
  return {
    name,
    program,
    terms: longestAxis(program) * iterations(program.instructions),
    run() {
      drawn ??= {
        count,
        parameters: draw('parameters', program.parameters, 1),
        inputs: draw('inputs', program.inputs, count),
        states: draw('states', program.states, count),
      }
      return { ...drawn, states: structuredClone(drawn.states) }
    },
  }
}

/** A case of a traced function's outputs and sums. */
export const forwardCase = (name: string, samples: Samples, fn: () => void, count = COUNT): Case =>
  programCase(name, compileForward(trace('case', fn)).main, samples, count)

const factorSuffix = '.factor'

/** What a sample is in a case: a learned tensor that each sequence scales for itself, a bare weight, or an input. */
type Kind = 'sequence' | 'weight' | 'input'

const bind = (kind: Kind, name: string, { shape, dtype }: Sample): Tensor => {
  if (dtype === 'i32' || kind === 'input') return input(name, shape, dtype)
  return kind === 'weight'
    ? parameter(name, shape)
    : mul(parameter(name, shape), input(`${name}${factorSuffix}`, shape))
}

type Expression = (tensors: Record<string, Tensor>) => Tensor

/** Value and gradients of Σ random weights · value. */
function compiled(samples: Samples, expression: Expression, kindOf: (name: string) => Kind): TrainingPrograms {
  let loss!: Tensor
  const graph = trace('case', () => {
    const tensors = Object.entries(samples).map(([name, sample]) => [name, bind(kindOf(name), name, sample)])
    const y = expression(Object.fromEntries(tensors))
    output('y', y)
    loss = sum(mul(y, input('weights', y.shape)))
  })
  return compileTraining(graph, loss)
}

/**
 * An expression of the samples, forward and backward, twice: with every tensor of the sequence, and with all but the
 * first as bare weights; what then depends on weights alone is a case of its own, and so is the way back through it.
 */
export function trainingCases(name: string, samples: Samples, expression: Expression, count = COUNT): Case[] {
  const [first, ...others] = Object.entries(samples)
  const cases = [programCase(name, compiled(samples, expression, () => 'sequence').main, samples, count)]
  if (others.every(([, s]) => s.dtype === 'i32')) return cases
  const { main, derive, pullback } = compiled(samples, expression, (n) => (n === first[0] ? 'sequence' : 'weight'))
  cases.push(programCase(`${name}, with weights`, main, samples, count))
  if (derive) cases.push(programCase(`${name}, derived`, derive, samples, 1))
  if (pullback?.sums.length) cases.push(programCase(`${name}, pulled back`, pullback, samples, 1))
  return cases
}

/** An expression forward and backward with its samples of every kind: some gradients are wanted, others are not. */
export function mixedCases(name: string, samples: Samples, expression: Expression): Case[] {
  const names = Object.keys(samples).filter((n) => samples[n].dtype === 'f32')
  const mixtures = names.reduce<Kind[][]>(
    (all, _) => all.flatMap((some) => (['sequence', 'weight', 'input'] as const).map((kind) => [...some, kind])),
    [[]],
  )
  return mixtures
    .filter((kinds) => new Set(kinds).size > 1)
    .map((kinds) => {
      const { main } = compiled(samples, expression, (n) => kinds[names.indexOf(n)])
      return programCase(`${name}: ${names.map((n, i) => `${n} ${kinds[i]}`).join(', ')}`, main, samples)
    })
}
