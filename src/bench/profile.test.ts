import { describe, expect, it } from 'vitest'
import { chooseExecutor, nativeIsBuilt } from '../executor/index.ts'
import { memoryModel } from './memory-model.ts'
import { transformerModel } from './models.ts'
import { profileStep } from './profile.ts'
import { BenchStep, drawStep } from './step.ts'

const sizes = { dModel: 16, nHeads: 2, dFf: 64, length: 32, batch: 4, vocabulary: 8 }
const tiny = transformerModel('tiny', { ...sizes, plan: '1,1x3' })
const once = { seed: 0, seconds: 0 }

describe.runIf(nativeIsBuilt())('a timed native executor', () => {
  const timed = (threads: number) => chooseExecutor({ executor: 'native', precision: 'f32', threads, timed: true })

  it.each([1, 2])('says where a step of %i threads goes, and all its products', async (threads) => {
    const { msPerStep, rows, elsewhere } = await profileStep(tiny, timed(threads), once)
    expect(rows.reduce((sum, { share }) => sum + share, elsewhere)).toBeCloseTo(1, 10)
    expect(elsewhere).toBeGreaterThan(0)
    for (const { ms, share } of rows) expect(share).toBeCloseTo(ms / msPerStep, 10)
    expect(rows.map(({ ms }) => ms)).toEqual(rows.map(({ ms }) => ms).sort((a, b) => b - a))
    const flops = rows.reduce((sum, { ms, rate = 0 }) => sum + (ms / 1000) * rate, 0)
    const [layers, forwardAndBackward] = [4, 6]
    expect(flops).toBeCloseTo(layers * forwardAndBackward * 12 * 16 ** 2 * 32 * 4, 0)
  })

  it('names products by their sizes and what follows them, elementwise passes by their ops, and nothing twice', async () => {
    const { rows } = await profileStep(tiny, timed(1), once)
    const names = rows.map(({ kernel, detail }) => `${kernel} ${detail}`)
    for (const name of [
      'matmul 32 × 16 × 64, gelu derivative',
      'matmul 64 × 32 × 16',
      'elementwise mul',
      'attentionGrad ',
    ])
      expect(names).toContain(name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('takes apart what is no transformer, too', async () => {
    const model = memoryModel('memory', { ...sizes, slots: 8, loops: 2 })
    const { rows, elsewhere } = await profileStep(model, timed(1), once)
    expect(rows.length).toBeGreaterThan(10)
    expect(elsewhere).toBeLessThan(1)
  })

  it('computes the same bits', async () => {
    const gradients = async (executor: ReturnType<typeof timed>) => {
      const { loss, gradients } = await new BenchStep(tiny, drawStep(tiny, 4, 0), executor).gradients()
      return { loss, gradients: structuredClone(gradients) }
    }
    const plain = chooseExecutor({ executor: 'native', precision: 'f32', threads: 1 })
    expect(plain.spent).toBeUndefined()
    expect(await gradients(timed(1))).toEqual(await gradients(plain))
  })
})

it('an executor that keeps no times is refused', async () => {
  const reference = chooseExecutor({ executor: 'reference' })
  await expect(profileStep(tiny, reference, once)).rejects.toThrow('the executor keeps no times: choose it with timed')
  expect(() => chooseExecutor({ executor: 'reference', timed: true })).toThrow(
    'only the native executor knows what each kernel takes, and this is the reference executor',
  )
})
