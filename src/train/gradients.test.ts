import { describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/index.ts'
import { initialParameters } from '../model/parameters.ts'
import { defineRecipe } from '../recipes/index.ts'
import { createTask, type Task } from '../task/index.ts'
import { drawBatch, type MicroBatch } from './batches.ts'
import { GradientComputer } from './gradients.ts'
import { compileStep } from './recompute.ts'
import { recipeModel } from './setup.ts'

const task = createTask({ name: 'phop', n: 8, p: 1, loss: 'every' })
const recipe = defineRecipe({
  name: 'tiny',
  task: { name: 'phop', n: 8, p: 1, loss: 'every' },
  model: { plan: '1,1x2', dModel: 16, nHeads: 2, dFf: 32, positions: 'learned' },
  steps: 1,
})
const config = recipeModel(recipe, task)
const parameters = initialParameters(config, 0)

async function gradientsOf(accumulation: number, groups?: number) {
  const executor = referenceExecutor()
  const compile = (length: number) => compileStep(executor, config, length, { groups })
  const computer = new GradientComputer(executor, parameters.shapes, compile)
  const compute = () => computer.compute(parameters, drawBatch(task, 0, { seed: 0, batch: 12, accumulation }))
  const first = structuredClone(await compute())
  expect(structuredClone(await compute())).toEqual(first) // nothing is left over from the time before
  return first
}

function padAll(parts: readonly MicroBatch[], length: number): MicroBatch {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const padded: MicroBatch = {
    count,
    length,
    inputs: {
      tokens: new Int32Array(count * length),
      targets: new Int32Array(count * length).fill(-1),
      lossWeights: new Float32Array(count * length),
    },
  }
  let row = 0
  for (const part of parts)
    for (let b = 0; b < part.count; b++, row++)
      for (const name of ['tokens', 'targets', 'lossWeights'] as const)
        padded.inputs[name].set(part.inputs[name].subarray(b * part.length, (b + 1) * part.length), row * length)
  return padded
}

describe('GradientComputer', () => {
  it('gives the same gradients however the batch is cut into parts', async () => {
    const whole = await gradientsOf(1)
    for (const accumulation of [2, 12]) {
      const parts = await gradientsOf(accumulation)
      expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(1e-6)
      expect(Math.abs(parts.gradientNorm - whole.gradientNorm)).toBeLessThan(1e-6)
      for (const [name, gradient] of Object.entries(whole.gradients)) {
        const furthest = gradient.reduce((most, x, i) => Math.max(most, Math.abs(x - parts.gradients[name][i])), 0)
        expect(furthest, name).toBeLessThan(1e-6)
      }
    }
  })

  it('gives the same gradients for sequences by their length as for all padded to the longest', async () => {
    const length = 40
    const long = createTask({ name: 'phop', n: length, p: 1, loss: 'every' })
    const ragged: Task = {
      ...long,
      sample: (key) => {
        const end = 5 + ((7 * key.index) % 36)
        const { tokens, targets, weights } = long.sample(key)
        return { tokens: tokens.slice(0, end), targets: targets.slice(0, end), weights: weights.slice(0, end) }
      },
    }
    const config = { ...recipeModel(recipe, long), norm: 'layer' as const }
    const { shapes, ...rest } = initialParameters(config, 1)
    const executor = referenceExecutor()
    const compile = (length: number) => compileStep(executor, config, length)
    const compute = (parts: MicroBatch[]) =>
      new GradientComputer(executor, shapes, compile).compute({ shapes, ...rest }, parts)
    const parts = drawBatch(ragged, 0, { seed: 0, batch: 8, accumulation: 1 })
    expect(parts.map((part) => part.length)).toEqual([16, 32, 40])
    const found = await compute(parts)
    const padded = await compute([padAll(parts, length)])
    expect(found.loss).toBeCloseTo(padded.loss, 6)
    for (const [name, gradient] of Object.entries(padded.gradients))
      for (const [i, x] of gradient.entries()) expect(found.gradients[name][i]).toBeCloseTo(x, 6)
    expect(found.tokens).toBe(parts.reduce((sum, { count, length }) => sum + count * length, 0))
    expect(found.flops).toBeLessThan(padded.flops)
  })

  it('has a gradient for every parameter, and their norm', async () => {
    const { loss, gradients, gradientNorm } = await gradientsOf(1)
    expect(Object.keys(gradients)).toEqual(Object.keys(parameters.shapes))
    for (const [name, gradient] of Object.entries(gradients))
      expect(
        gradient.some((x) => x !== 0),
        name,
      ).toBe(true)
    const squares = Object.values(gradients).flatMap((gradient) => Array.from(gradient, (x) => x * x))
    expect(gradientNorm).toBeCloseTo(Math.sqrt(squares.reduce((a, b) => a + b, 0)), 5)
    expect(loss).toBeGreaterThan(1)
    expect(loss).toBeLessThan(3)
  })

  it('measures the state after every loop of every segment, as a mean over sequences', async () => {
    const { stateNorm, updateNorm } = await gradientsOf(1)
    expect(stateNorm.map((loops) => loops.length)).toEqual([1, 2])
    expect(updateNorm.map((loops) => loops.length)).toEqual([1, 2])
    // Embeddings are N(0, 1), so that a state of 16 numbers begins at a norm near √32 with its learned position.
    for (const norm of stateNorm.flat()) expect(norm).toBeGreaterThan(4)
    for (const norm of stateNorm.flat()) expect(norm).toBeLessThan(12)
    for (const norm of updateNorm.flat()) expect(norm).toBeGreaterThan(0.1)
  })
})
