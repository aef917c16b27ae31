import { totalmem } from 'node:os'
import { describe, expect, it } from 'vitest'
import { type Executor, referenceExecutor } from '../executor/index.ts'
import { modelConfig } from '../model/config.ts'
import { initialParameters } from '../model/parameters.ts'
import { defineRecipe } from '../recipes/index.ts'
import { createTask } from '../task/index.ts'
import { sizeOf } from '../tensor/type.ts'
import { drawBatch } from './batches.ts'
import { GradientComputer } from './gradients.ts'
import { compileStep, memoryBudget, type Recompute } from './recompute.ts'
import { recipeModel } from './setup.ts'

const length = 5
const configOf = (plan: string) => modelConfig({ plan, dModel: 8, nHeads: 2, vocabulary: 4, maxLength: length })

/** An executor of two threads, each with memory for the largest value of a Program. */
const roomy: Executor = {
  ...referenceExecutor(),
  threads: 2,
  compile(program, options) {
    const executable = referenceExecutor().compile(program, options)
    const arenaBytes = Math.max(...program.values.map(({ shape }) => 4 * sizeOf(shape)))
    return Object.assign(executable, { schedule: { ...executable.schedule, arenaBytes } })
  },
}

/** Loops that are computed again at a time, bytes on both threads, and what was said. */
function choice(plan: string, recompute?: Recompute, budget = Number.POSITIVE_INFINITY) {
  const notes: string[] = []
  const step = compileStep(roomy, configOf(plan), length, { recompute, budget, onNote: (note) => notes.push(note) })
  const { program, schedule } = step.main
  const again = program.instructions.filter(({ attributes }) => attributes.recompute)
  const every = again.map(({ block }) => block!.instructions.find(({ op }) => op === 'repeat')?.attributes.count ?? 1)
  return { every, bytes: 2 * schedule.arenaBytes, notes }
}

describe('what is computed again', () => {
  it('is nothing, or as many loops at a time as one says', () => {
    expect(choice('1x8', 'none', 0).every).toEqual([])
    expect(choice('1x8', 3, 0)).toMatchObject({ every: [3], notes: [] })
    expect(choice('1x8', 1).every).toEqual([1])
    expect(choice('1x8', 8).every).toEqual([])
    expect(choice('1x8', 4).bytes).toBeLessThan(choice('1x8', 'none').bytes)
  })

  it('is nothing where memory is enough', () => {
    const { bytes } = choice('1x8', 'none')
    expect(choice('1x8', 'auto', bytes)).toEqual({ every: [], bytes, notes: [] })
    expect(choice('1x8', undefined, bytes)).toEqual({ every: [], bytes, notes: [] })
  })

  it.each([4, 2])('is as little as fits: %i loops at a time', (every) => {
    const { bytes } = choice('1x8', every)
    const { notes, ...chosen } = choice('1x8', 'auto', bytes)
    expect(chosen).toEqual({ every: [every], bytes })
    expect(notes).toEqual([
      `sequences of 5 tokens need ${kilobytes(choice('1x8', 'none').bytes)} on 2 threads, more than the ${kilobytes(bytes)} there are for them: ${every} loops are computed again at a time, with ${kilobytes(bytes)}`,
    ])
  })

  it('is what needs least where nothing fits, and says so', () => {
    const least = Math.min(...[4, 2, 1].map((m) => choice('1x8', m).bytes))
    const { bytes, notes } = choice('1x8', 'auto', 100)
    expect(bytes).toBe(least)
    expect(notes[0]).toContain(`with ${kilobytes(least)}, which is still too much`)
    expect(choice('3', 'auto', 100)).toMatchObject({
      every: [],
      notes: [expect.stringMatching(/ there are for them, and no loop to compute again$/)],
    })
  })

  it('is in every segment that loops more often', () => {
    expect(choice('1x8,2x3,1', 2).every).toEqual([2, 2])
    expect(choice('1x8,2x3,1', 4).every).toEqual([4])
  })
})

const kilobytes = (bytes: number) => `${(bytes / 1e3).toFixed(1)} kB`

describe('memoryBudget', () => {
  it('is a part of the memory there is', () => {
    expect(memoryBudget()).toBeGreaterThan(0)
    expect(memoryBudget()).toBeLessThanOrEqual(totalmem() / 2)
  })
})

describe('a training step', () => {
  it('has the same gradients, norms and FLOPs whatever is computed again, bit for bit', async () => {
    const task = createTask({ name: 'phop', n: 8, p: 1, loss: 'every' })
    const recipe = defineRecipe({
      name: 'tiny',
      task: { name: 'phop', n: 8, p: 1, loss: 'every' },
      model: { plan: '1,2x5,1x3', dModel: 8, nHeads: 2 },
      steps: 1,
    })
    const config = recipeModel(recipe, task)
    const parameters = initialParameters(config, 0)
    const batch = drawBatch(task, 0, { seed: 0, batch: 4, accumulation: 1 })
    const executor = referenceExecutor()
    const compute = (recompute: Recompute) => {
      const compile = (length: number) => compileStep(executor, config, length, { recompute })
      return new GradientComputer(executor, parameters.shapes, compile).compute(parameters, batch)
    }
    const wanted = await compute('none')
    for (const recompute of [1, 2, 4, 'auto'] as const) expect(await compute(recompute)).toEqual(wanted)
  })
})
