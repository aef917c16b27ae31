import { describe, expect, it } from 'vitest'
import { chooseExecutor } from '../executor/index.ts'
import { compareGradients } from './agreement.ts'
import { transformerModel } from './models.ts'
import { BenchStep, benchOptimizer, drawStep } from './step.ts'

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
