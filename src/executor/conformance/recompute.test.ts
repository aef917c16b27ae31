import { describe, expect, it } from 'vitest'
import { compileTraining, type TrainingPrograms } from '../../compile/index.ts'
import { input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { mul, repeat, sum } from '../../ops/index.ts'
import { sizeOf } from '../../tensor/type.ts'
import type { Executor, Numbers, Run } from '../executor.ts'
import { drawAll, f32, relativeError } from './data.ts'
import { candidates, references } from './executors.ts'
import { type Loop, type LoopCase, loops } from './loops.ts'
import { dataOf, runStep } from './step.ts'

const saving = (saveEvery: number): Loop =>
  ((options: Parameters<Loop>[0], body: Parameters<Loop>[1]) => repeat({ ...options, saveEvery }, body)) as Loop

/** Programs of a loop and what they run on. */
interface Prepared {
  readonly programs: TrainingPrograms
  readonly run: Run
}

/** A loop of learned tensors that each sequence scales for itself, or of bare weights after the first. */
function prepare({ samples, expression }: LoopCase, bare: boolean, loop: Loop): Prepared {
  const values = drawAll(samples, 'recompute')
  let loss!: Tensor
  let size = 0
  const graph = trace('recompute', () => {
    const bound = Object.entries(values).map(([name, { shape, dtype }], i) => {
      if (dtype === 'i32') return [name, input(name, shape, dtype)]
      const learned = parameter(name, shape)
      return [name, bare && i > 0 ? learned : mul(learned, input('one', []))]
    })
    const y = expression(loop, Object.fromEntries(bound))
    size = sizeOf(y.shape)
    output('y', y)
    loss = sum(mul(y, input('weights', y.shape)))
  })
  const weights = drawAll({ weights: f32([size]) }, 'weights')
  const inputs = { ...dataOf(values), ...dataOf(weights), one: Float32Array.of(1) }
  return { programs: compileTraining(graph, loss), run: { count: 1, parameters: dataOf(values), inputs } }
}

/** Each loop with everything kept, and with less. */
const prepared = new Map(
  loops.map((one) => {
    const both = [false, true].map((bare) => ({
      whole: prepare(one, bare, repeat),
      less: [1, 2, 3].map((m) => prepare(one, bare, saving(m))),
    }))
    return [one, both] as const
  }),
)

/** Value and gradients by parameter. */
async function resultsOf(executor: Executor, { programs, run }: Prepared): Promise<Record<string, Numbers>> {
  const { outputs, sums } = await runStep(executor, programs, run)
  const wanted = Object.entries(sums).filter(([name]) => !name.startsWith('grad:derived'))
  return { ...outputs, ...Object.fromEntries(wanted) }
}

describe.each([...references, ...candidates])('on $name nothing changes when less is kept of', ({ make }) => {
  const executor = make()
  it.each(loops)('a loop with $name', async (one) => {
    for (const { whole, less } of prepared.get(one)!) {
      const wanted = await resultsOf(executor, whole)
      for (const [i, some] of less.entries()) {
        const got = await resultsOf(executor, some)
        expect(Object.keys(got).sort()).toEqual(Object.keys(wanted).sort())
        for (const name of Object.keys(wanted))
          expect(relativeError(got[name], wanted[name]), `${name}, every ${i + 1}`).toBe(0)
      }
    }
  })
})
