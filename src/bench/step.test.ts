import { describe, expect, it } from 'vitest'
import { chooseExecutor } from '../executor/index.ts'
import { createTask } from '../task/index.ts'
import { compareGradients } from './agreement.ts'
import { drawSamples } from './mixture.ts'
import { transformerModel } from './models.ts'
import type { NamedModel } from './named-model.ts'
import { BenchStep, benchOptimizer, drawStep, firstSequences } from './step.ts'

const model = transformerModel('tiny', {
  plan: '1x2',
  dModel: 16,
  nHeads: 2,
  dFf: 32,
  length: 8,
  batch: 4,
  vocabulary: 5,
})
const draw = () => drawStep(model, model.batch, 0)
const executor = chooseExecutor({ precision: 'f32' })

describe('BenchStep', () => {
  it('gives the same gradients every time: its sums start at zero and weights stay', async () => {
    const data = draw()
    const step = new BenchStep(model, data, executor)
    const first = structuredClone(await step.gradients())
    expect(await step.gradients()).toEqual(first)
    expect(data.parameters.values).toEqual(draw().parameters.values)
  })

  it('moves each weight against its gradient, by the learning rate at first, as AdamW does', async () => {
    const [data, before] = [draw(), draw().parameters.values]
    const step = new BenchStep(model, data, executor)
    const { gradients } = structuredClone(await step.gradients())
    await step.train()
    for (const [name, values] of Object.entries(data.parameters.values))
      for (let i = 0; i < values.length; i++) {
        const g = gradients[name][i]
        if (Math.abs(g) < 1e-4) continue
        expect((values[i] - before[name][i]) / benchOptimizer.learningRate).toBeCloseTo(-Math.sign(g), 1)
      }
  })

  it('computes sequences of a mixture no longer than they are, with the gradients of whole ones', async () => {
    const task = createTask({ name: 'addition', operands: [2, 6], digits: 2 })
    const addition = transformerModel('sums', {
      plan: '1x2',
      dModel: 16,
      nHeads: 2,
      dFf: 32,
      length: task.length,
      batch: 8,
      vocabulary: 13,
    })
    const mixed: NamedModel = { ...addition, draw: (count, seed) => drawSamples(task, task.length, count, seed) }
    const data = drawStep(mixed, 8, 0)
    const long = data.lengths!.filter((length) => length === task.length).length
    expect([long > 0, long < 8, task.length]).toEqual([true, true, 21])
    const [cut, whole] = [data, { ...data, lengths: undefined }].map((d) => new BenchStep(mixed, d, executor))
    expect([cut.tokens, whole.tokens]).toEqual([long * 21 + (8 - long) * 16, 8 * 21])
    expect(cut.flops).toBeLessThan(whole.flops)
    const { whole: error, loss } = compareGradients(await cut.gradients(), await whole.gradients())
    expect(error).toBeLessThan(1e-5)
    expect(loss).toBeLessThan(1e-5)
    const part = firstSequences(data, 3)
    expect(part.lengths).toHaveLength(3)
    expect(part.inputs.lossWeights.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 5)
  })

  it('computes with the changed weights in the next step', async () => {
    const data = draw()
    const step = new BenchStep(model, data, executor)
    for (let i = 0; i < 20; i++) await step.train()
    const again = new BenchStep(model, data, executor)
    const [got, wanted] = [await step.gradients(), await again.gradients()]
    expect(compareGradients(got, wanted)).toMatchObject({ loss: 0, whole: 0 })
    expect(got.loss).toBeLessThan((await new BenchStep(model, draw(), executor).gradients()).loss)
  })
})
