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
  /** The one that updates a parameter, where that is not the same for all. */
  of?(name: string, shape: Shape): Optimizer
}

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

/** What one parameter needs for its updates. */
interface Slot {
  readonly optimizer: Optimizer
  readonly executable: Executable
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
      const key = `${optimizer.name} ${shape}`
      const executable = compiled.get(key) ?? executor.compile(updateProgram(optimizer, shape), { groups: 1 })
      compiled.set(key, executable)
      const stateShapes = optimizer.states(shape)
      const zeros = Object.entries(stateShapes).map(([state, s]) => [state, new Float32Array(sizeOf(s))])
      this.slots.set(name, { optimizer, executable, shapes: stateShapes, states: Object.fromEntries(zeros) })
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
    const jobs = Array.from(this.slots, ([name, { optimizer, executable, states }]): Job => {
      const numbers = { ...optimizer.numbers(step), learningRate, gradientScale: scale }
      const scalars = Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, Float32Array.of(x)]))
      const changed = { ...states, weights: parameters[name] }
      const inputs = { ...scalars, ...changed, gradient: gradients[name] }
      return { executable, run: { count: 1, inputs, outputs: changed } }
    })
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
