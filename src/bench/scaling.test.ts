import { describe, expect, it } from 'vitest'
import { chooseExecutor } from '../executor/index.ts'
import { driftOf, timeInTurn } from './measure.ts'
import { transformerModel } from './models.ts'
import { fitAffine, scaleLoops, scaleThreads } from './scaling.ts'

describe('fitAffine', () => {
  it('finds a line again', () => {
    const { intercept, slope, residuals } = fitAffine([1, 2, 4, 64].map((x) => ({ x, y: 3 + 2 * x })))
    expect(intercept).toBeCloseTo(3, 10)
    expect(slope).toBeCloseTo(2, 10)
    for (const residual of residuals) expect(residual).toBeCloseTo(0, 10)
  })

  it('says how far each point is off, as a fraction of it', () => {
    const { residuals } = fitAffine([10, 20.4, 40, 80].map((y, i) => ({ x: 2 ** i, y })))
    expect(Math.max(...residuals.map(Math.abs))).toBe(Math.abs(residuals[1]))
    expect(residuals[1]).toBeLessThan(-0.01)
    expect(residuals[1]).toBeGreaterThan(-0.02)
  })
})

it('driftOf is how the later runs differ from the earlier', () => {
  expect(driftOf([10, 10, 30, 11, 11, 11])).toBeCloseTo(0.1, 12)
  expect(driftOf([10, 12])).toBeCloseTo(0.2, 12)
})

it('timeInTurn gives each run the same time a round, to and fro', async () => {
  let ran = ''
  const run = (name: string, ms: number) => async () => {
    ran += name
    return ms
  }
  const times = await timeInTurn([run('a', 10), run('b', 31)], { least: 3, seconds: 0 })
  expect(ran).toBe('aabb' + 'aaab' + 'baaa' + 'aaab')
  expect(times).toEqual([
    [10, 10, 10],
    [31, 31, 31],
  ])
})

describe('on this machine', () => {
  const executor = chooseExecutor({ precision: 'f32' })
  const sizes = { dModel: 16, nHeads: 2, dFf: 64, length: 32, batch: 8, vocabulary: 8 }
  const options = { executor, seed: 0, seconds: 0 }

  it('steps of more and more loops are timed', async () => {
    const { points, slope } = await scaleLoops(options, [1, 8], sizes)
    expect(points.map(({ loops }) => loops)).toEqual([1, 8])
    expect(slope).not.toBeNaN()
  })

  it('a model is timed on one thread and on all', async () => {
    const model = transformerModel('tiny', { ...sizes, plan: '1x2' })
    const { one, all, speedup } = await scaleThreads(model, { precision: 'f32' }, options)
    expect(one).toBeGreaterThan(0)
    expect(all).toBeGreaterThan(0)
    expect(speedup.ratio).toBeGreaterThan(0)
    expect(speedup.drift).not.toBeNaN()
  })
})
