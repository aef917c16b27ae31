import { describe, expect, it } from 'vitest'
import { chooseExecutor, type Executor, type Precision, referenceExecutor } from '../executor/index.ts'
import { checkGradients } from './check.ts'
import { pickModels } from './models.ts'

const [model] = pickModels('Q')

/** An executor whose sums under `grad:…name` are `factor` times what they should be. */
function broken(executor: Executor, name: string, factor: number): Executor {
  return {
    ...executor,
    compile(program, options) {
      const executable = executor.compile(program, options)
      const reduce = executable.reduce.bind(executable)
      return Object.assign(executable, {
        async reduce(into: Record<string, Float32Array>) {
          await reduce(into)
          for (const [sum, values] of Object.entries(into))
            if (sum.startsWith('grad:') && sum.endsWith(name)) values.set(values.map((x) => factor * x))
        },
      })
    },
  }
}

describe('checkGradients', () => {
  it.each<[Precision, number]>([
    ['f32', 1e-5],
    ['bf16', 1e-2],
  ])('this machine computes the gradients of the quickstart in %s', async (precision, bar) => {
    const checked = await checkGradients(model, chooseExecutor({ precision }))
    expect(checked).toMatchObject({ bar, ok: true })
    expect(checked.whole).toBeLessThanOrEqual(bar)
  })

  it('sees rounded operands beside f32', async () => {
    const { whole } = await checkGradients(model, referenceExecutor({ precision: 'bf16' }))
    expect(whole).toBeGreaterThan(1e-4)
  })

  it('fails gradients that are 1 % too large', async () => {
    const checked = await checkGradients(model, broken(chooseExecutor({ precision: 'f32' }), '', 1.01))
    expect(checked.ok).toBe(false)
    expect(checked.whole).toBeCloseTo(0.01, 5)
  })

  it('fails and names one tensor that is too large, be it a small part of the whole', async () => {
    const tensor = 'model.norm.weight'
    const checked = await checkGradients(model, broken(chooseExecutor({ precision: 'f32' }), tensor, 1.0002))
    expect(checked).toMatchObject({ ok: false, tensor })
    expect(checked.worstTensor).toBeCloseTo(2e-4, 5)
  })
})
