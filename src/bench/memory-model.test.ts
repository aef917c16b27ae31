import { describe, expect, it } from 'vitest'
import { chooseExecutor, nativeVariants, type Precision } from '../executor/index.ts'
import { checkGradients } from './check.ts'
import { memoryModel } from './memory-model.ts'
import { BenchStep, drawStep } from './step.ts'

const model = memoryModel('tiny', {
  dModel: 32,
  nHeads: 4,
  dFf: 64,
  slots: 12,
  loops: 3,
  length: 20,
  batch: 4,
  vocabulary: 11,
})

describe('a model that is no transformer', () => {
  it.each<Precision>(['f32', 'bf16'])('has right gradients in %s', async (precision) => {
    expect(await checkGradients(model, chooseExecutor({ precision }))).toMatchObject({ ok: true })
  })

  it.runIf(nativeVariants().length > 0)('derives its memory keys once a step, not in the loop', () => {
    const { derive, pullback } = model.programs()
    expect(derive?.parameters.map(({ name }) => name)).toContain('memory.k.weight')
    expect(pullback).toBeDefined()
  })

  it('learns', async () => {
    const data = drawStep(model, model.batch, 0)
    const step = new BenchStep(model, data, chooseExecutor({ precision: 'f32' }))
    const { loss } = await step.gradients()
    for (let i = 0; i < 30; i++) await step.train()
    expect((await step.gradients()).loss).toBeLessThan(loss)
  })
})
