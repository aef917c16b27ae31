import { describe, expect, it } from 'vitest'
import { evaluate } from '../executor/conformance/step.ts'
import { add, fill, sub } from './index.ts'

describe('fill', () => {
  it('is one number everywhere, in any shape', async () => {
    const { matrix, scalar } = await evaluate({}, () => ({ matrix: fill([2, 3], 1.5), scalar: fill([], -2) }))
    expect([...matrix]).toEqual([1.5, 1.5, 1.5, 1.5, 1.5, 1.5])
    expect([...scalar]).toEqual([-2])
  })

  it('keeps infinities and NaN apart', async () => {
    const y = await evaluate({}, () => ({
      most: add(fill([1], Number.POSITIVE_INFINITY), 1),
      least: add(fill([1], Number.NEGATIVE_INFINITY), 1),
      none: sub(fill([1], Number.NaN), 1),
    }))
    expect([...y.most, ...y.least, ...y.none]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])
  })
})
