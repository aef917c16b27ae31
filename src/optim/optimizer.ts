import { lower } from '../compile/index.ts'
import type { Executable, Executor, Job } from '../executor/executor.ts'
import { input, output, type Tensor, trace } from '../graph/graph.ts'
import { mul } from '../ops/index.ts'
import { LatheError } from '../settings/error.ts'
import { sameShape, sizeOf } from '../tensor/type.ts'

export type Shape = readonly number[]
export type Arrays = Readonly<Record<string, Float32Array>>
type Tensors = Readonly<Record<string, Tensor>>

/** Named f32 values with their shape, as checkpoints hold them. */
export type StateMap = Map<string, { readonly shape: Shape; readonly data: Float32Array }>

/** What an update reads, all of it symbolic. */
export interface Update {
  readonly weights: Tensor
  /** Already clipped. */
  readonly gradient: Tensor
  readonly states: Tensors
  /** Scalar. */
  readonly learningRate: Tensor
  /** One scalar for each of the optimizer's `numbers`. */
  readonly numbers: Tensors
}

/** An optimizer is one function over symbolic tensors: how one parameter changes. Everything else follows from it. */
export interface Optimizer {
  readonly name: string
  /** Shapes of what it remembers of a parameter of this shape, by name; zero at first. */
  states(shape: Shape): Readonly<Record<string, Shape>>
  /** Numbers that change from step to step (bias corrections), `step` counted from 1. */
  numbers(step: number): Readonly<Record<string, number>>
  /** Traces one update. */
  update(update: Update): { weights: Tensor; states: Tensors }
  /** Whether each row of a parameter changes by itself: then threads share a large one. */
  readonly byRow?: boolean
  /** The one that updates a parameter, where that is not the same for all. */
  of?(name: string, shape: Shape): Optimizer
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]))

/** Traces an optimizer's update of a parameter of this shape. Inputs and outputs have the same names. */
function updateProgram(optimizer: Optimizer, shape: Shape) {
  const graph = trace(`${optimizer.name} [${shape.join(', ')}]`, () => {
    const named = (shapes: Readonly<Record<string, Shape>>): Tensors =>
      Object.fromEntries(Object.entries(shapes).map(([name, s]) => [name, input(name, s)]))
    const scalars = Object.fromEntries(Object.keys(optimizer.numbers(1)).map((name) => [name, []]))
    const { weights, states } = optimizer.update({
      weights: input('weights', shape),
      gradient: mul(input('gradient', shape), input('gradientScale', [])),
      states: named(optimizer.states(shape)),
      learningRate: input('learningRate', []),
      numbers: named(scalars),
    })
    for (const [name, state] of Object.entries(states)) output(name, state)
    output('weights', weights)
  })
  return lower(graph)
}

/** Numbers of a parameter that are updated by one run, at most, where its rows can be. Ours. */
const PIECE = 2 ** 20

/** Shapes and first elements of what a parameter is updated in. */
function piecesOf({ byRow }: Optimizer, shape: Shape): { shape: Shape; at: number }[] {
  const [rows = 1, ...row] = shape
  const size = sizeOf(row)
  const most = byRow && sizeOf(shape) > PIECE ? Math.max(1, Math.floor(PIECE / size)) : rows
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => {
    const own = Math.min(most, rows - i * most)
    return { shape: shape.length ? [own, ...row] : [], at: i * most * size }
  })
}

/** What one parameter needs for its updates. */
interface Slot {
  readonly optimizer: Optimizer
  readonly pieces: readonly { readonly executable: Executable; readonly at: number; readonly size: number }[]
  readonly shapes: Readonly<Record<string, Shape>>
  readonly states: Arrays
}

/** Updates parameters by name: holds their optimizer states and runs one Program a parameter, all of them together. */
export class OptimizerRunner {
  private readonly slots = new Map<string, Slot>()

  constructor(
    private readonly executor: Executor,
    private readonly whole: Optimizer,
    shapes: Readonly<Record<string, Shape>>,
  ) {
    const compiled = new Map<string, Executable>()
    for (const [name, shape] of Object.entries(shapes)) {
      const optimizer = whole.of?.(name, shape) ?? whole
      const pieces = piecesOf(optimizer, shape).map(({ shape: own, at }) => {
        const key = `${optimizer.name} ${own}`
        const executable = compiled.get(key) ?? executor.compile(updateProgram(optimizer, own), { groups: 1 })
        compiled.set(key, executable)
        return { executable, at, size: sizeOf(own) }
      })
      const stateShapes = optimizer.states(shape)
      const zeros = Object.entries(stateShapes).map(([state, s]) => [state, new Float32Array(sizeOf(s))])
      this.slots.set(name, { optimizer, pieces, shapes: stateShapes, states: Object.fromEntries(zeros) })
    }
  }

  /**
   * One step, in place: `parameters` and the states change. `step` counts from 1; `scale` multiplies every gradient
   * (clipping).
   */
  async update(options: {
    parameters: Arrays
    gradients: Arrays
    learningRate: number
    step: number
    scale: number
  }): Promise<void> {
    const { parameters, gradients, learningRate, step, scale } = options
    const scalars = new Map<Optimizer, Arrays>()
    const scalarsOf = (optimizer: Optimizer): Arrays => {
      const known = scalars.get(optimizer)
      if (known) return known
      const numbers = { ...optimizer.numbers(step), learningRate, gradientScale: scale }
      const made = mapValues(numbers, (x) => Float32Array.of(x))
      scalars.set(optimizer, made)
      return made
    }
    const jobs = Array.from(this.slots, ([name, { optimizer, pieces, states }]) => {
      const whole = { ...states, weights: parameters[name] }
      return pieces.map(({ executable, at, size }): Job => {
        const part = (array: Float32Array) => (pieces.length > 1 ? array.subarray(at, at + size) : array)
        const outputs = mapValues(whole, part)
        const inputs = { ...scalarsOf(optimizer), ...outputs, gradient: part(gradients[name]) }
        return { executable, run: { count: 1, inputs, outputs } }
      })
    }).flat()
    await this.executor.runAll(jobs)
  }

  /** The states themselves, not copies, by `STATE:PARAMETER`. */
  exportStates(): StateMap {
    const all: StateMap = new Map()
    for (const [name, { shapes, states }] of this.slots)
      for (const [state, shape] of Object.entries(shapes)) all.set(`${state}:${name}`, { shape, data: states[state] })
    return all
  }

  /** Goes on from exported states. Throws a LatheError when one is missing, of another shape, or too many. */
  importStates(states: StateMap): void {
    const wanted = this.exportStates()
    for (const [name, { shape }] of wanted) {
      const given = states.get(name)
      if (!given) throw new LatheError(`the optimizer state ${name} is missing: was it saved by ${this.whole.name}?`)
      if (!sameShape(given.shape, shape))
        throw new LatheError(`the optimizer state ${name} is [${given.shape}], but must be [${shape}]`)
    }
    for (const name of states.keys())
      if (!wanted.has(name)) throw new LatheError(`the optimizer state ${name} is none of ${this.whole.name}'s`)
    for (const [name, { data }] of wanted) data.set(states.get(name)!.data)
  }
}
