import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { mul, norm, reshape } from './index.ts'

describe('norm', () => {
  it('rms divides by the root of the mean square', async () => {
    const samples = { x: f32([2, 2], [3, 4, 0, 0]), gain: f32([2], [1, 2]) }
    const { y } = await evaluate(samples, ({ x, gain }) => ({ y: norm('rms', x, gain, undefined, 0.5) }))
    const scale = 1 / Math.sqrt(12.5 + 0.5)
    expect([...y]).toEqual([3 * scale, 8 * scale, 0, 0].map(Math.fround))
  })

  it('layer subtracts the mean and divides by the biased standard deviation', async () => {
    const samples = { x: f32([1, 4], [1, 2, 3, 6]), gain: f32([4], [1, 1, 2, 1]), bias: f32([4], [0, 10, 0, 0]) }
    const { y } = await evaluate(samples, ({ x, gain, bias }) => ({ y: norm('layer', x, gain, bias, 0.5) }))
    const scale = 1 / Math.sqrt(3.5 + 0.5) // mean 3, deviations −2 −1 0 3
    expect([...y]).toEqual([-2 * scale, 10 - scale, 0, 3 * scale].map(Math.fround))
  })

  it('has an eps of 1e-5 where none is given', async () => {
    const samples = { x: f32([1, 1], [1e-3]), gain: f32([1], [1]) }
    const { y } = await evaluate(samples, ({ x, gain }) => ({ y: norm('rms', x, gain) }))
    expect(y[0]).toBeCloseTo(1e-3 / Math.sqrt(1e-6 + 1e-5), 6)
  })

  it('does not mind the size of a row', async () => {
    const samples = { x: f32([3, 8]), gain: f32([8]) }
    const { y, z } = await evaluate(samples, ({ x, gain }) => ({
      y: norm('layer', x, gain, undefined, 1e-12),
      z: norm('layer', mul(x, 64), gain, undefined, 1e-12),
    }))
    y.forEach((value, i) => {
      expect(z[i]).toBeCloseTo(value, 5)
    })
  })

  it.each([
    ['a gain of another width', [2, 3], [2]],
    ['a gain that is a row', [2, 3], [1, 3]],
    ['a vector', [3], [3]],
  ])('refuses %s', (_, x, gain) => {
    expect(refusal(() => norm('rms', input('x', x), input('g', gain)))).toBe(
      `norm got f32[${x.join(', ')}] and f32[${gain.join(', ')}]; it takes f32 x [T, d] with a gain [d] and perhaps a bias [d]`,
    )
  })

  it('refuses a bias of another width, and integers', () => {
    const [x, gain] = [() => input('x', [2, 3]), () => input('g', [3])]
    expect(refusal(() => norm('layer', x(), gain(), input('b', [2])))).toContain('and f32[2]; it takes')
    expect(refusal(() => norm('layer', reshape(input('n', [6], 'i32'), [2, 3]), gain()))).toContain(
      'norm got i32[2, 3]',
    )
  })
})
