import type { Program } from '../compile/index.ts'
import type { Arrays } from '../executor/executor.ts'
import { sizeOf } from '../tensor/type.ts'

// Ours: enough sequences to share out among workers, few enough that their caches stay in bounds.
const mostPlaces = 256
const mostBytes = 2 ** 28

/** The states of several sequences, one a place. */
export class Cache {
  readonly places: number
  private readonly states: readonly { readonly name: string; readonly size: number; readonly data: Float32Array }[]

  /** Has room for `sequences`, or for as many of them as memory allows. */
  constructor(states: Program['states'], sequences: number) {
    const sizes = states.map(({ shape }) => sizeOf(shape))
    const fitting = Math.floor(mostBytes / (4 * sizes.reduce((a, b) => a + b)))
    this.places = Math.min(sequences, mostPlaces, Math.max(1, fitting))
    this.states = states.map(({ name }, i) => ({
      name,
      size: sizes[i],
      data: new Float32Array(this.places * sizes[i]),
    }))
  }

  /** The states of `count` places from `first` on, as a run takes them. */
  of(first: number, count: number): Arrays {
    const part = (size: number, data: Float32Array) => data.subarray(first * size, (first + count) * size)
    return Object.fromEntries(this.states.map(({ name, size, data }) => [name, part(size, data)]))
  }

  move(from: number, to: number): void {
    for (const { size, data } of this.states) data.copyWithin(to * size, from * size, (from + 1) * size)
  }
}
