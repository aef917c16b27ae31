import type { Program } from '../../compile/program.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf } from '../../tensor/type.ts'
import type { NativeSchedule } from './addon.ts'
import type { Memory, Place, Placed } from './place.ts'
import type { Lowered, Step, Target } from './steps.ts'

/** In the order of `enum Memory` in native/schedule.h. */
const memories: readonly Memory[] = ['arena', 'parameter', 'input', 'state', 'output', 'sum']

// As native/schedule.h has it.
const MAX_DEPTH = 16

type Encoded = Pick<NativeSchedule, 'places' | 'packs' | 'steps' | 'sizes'>

/** Writes a placed Schedule as the lists of numbers that native/addon.cc reads. */
export function encode(
  program: Program,
  lowered: Lowered,
  { places, stacked }: Placed,
  kernels: readonly string[],
): Encoded {
  const list: Place[] = [...places.values()]
  const number = new Map([...places.keys()].map((value, i) => [value, i]))
  const sums = program.sums.map(
    (_, index) => list.push({ memory: 'sum', index, halves: false, offset: 0, strides: [], sequence: 0 }) - 1,
  )

  const place = (value: number | undefined): number => (value === undefined ? -1 : number.get(value)!)
  const target = (t: Target): number => (!t ? -1 : 'sum' in t ? sums[t.sum] : place(t.value))
  const counted = (numbers: readonly number[]): number[] => [numbers.length, ...numbers]
  const encodeSteps = (steps: readonly Step[], depth: number): number[] => [
    steps.length,
    ...steps.flatMap((step) => {
      const kernel = kernels.indexOf(step.kernel)
      if (kernel < 0) throw new LatheError(`the addon has no kernel ${step.kernel}: build it again`)
      if (depth >= MAX_DEPTH) throw new LatheError(`the native executor nests at most ${MAX_DEPTH} loops`)
      if ('steps' in step)
        return [
          kernel,
          step.count,
          Number(step.reverse),
          depth,
          place(step.runs),
          place(step.index),
          ...encodeSteps(step.steps, depth + 1),
        ]
      const { reads, writes, integers, reals, rows } = step
      return [
        kernel,
        stacked.has(step) ? rows! : -1,
        ...counted(reads.map(place)),
        ...counted(writes.map(target)),
        ...counted(integers),
        ...counted(reals),
      ]
    }),
  ]
  const bytes = (types: readonly { shape: readonly number[] }[]) => counted(types.map((t) => 4 * sizeOf(t.shape)))
  const { parameters, inputs, states, outputs } = program
  return {
    places: Float64Array.from(
      list.flatMap(({ memory, index, halves, offset, sequence, strides }) => [
        memories.indexOf(memory),
        index,
        Number(halves),
        offset,
        sequence,
        ...counted(strides),
      ]),
    ),
    packs: Float64Array.from(lowered.packs.flatMap((p) => [p.parameter, p.K, p.N, p.rowStep, p.columnStep])),
    steps: Float64Array.from(encodeSteps(lowered.steps, 0)),
    sizes: Float64Array.from([
      0,
      ...bytes(parameters),
      ...bytes(inputs),
      ...bytes(states),
      ...bytes(outputs),
      ...bytes(program.sums),
    ]),
  }
}
