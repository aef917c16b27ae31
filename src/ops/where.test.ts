import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { where } from './index.ts'

describe('where', () => {
  it('takes the one where the condition is not 0, else the other', async () => {
    const samples = {
      c: f32([2, 3], [1, 0, -2, 0, 0.5, 0]),
      a: f32([2, 3], [1, 2, 3, 4, 5, 6]),
      b: f32([2, 3], [-1, -2, -3, -4, -5, -6]),
    }
    const { y } = await evaluate(samples, ({ c, a, b }) => ({ y: where(c, a, b) }))
    expect([...y]).toEqual([1, -2, 3, -4, 5, -6])
  })

  it('repeats rows, columns and scalars', async () => {
    const samples = { c: f32([2, 1], [0, 1]), row: f32([3], [1, 2, 3]), scalar: f32([], [9]) }
    const { y, z } = await evaluate(samples, ({ c, row, scalar }) => ({
      y: where(c, row, scalar),
      z: where(row, c, scalar),
    }))
    expect([...y]).toEqual([9, 9, 9, 1, 2, 3])
    expect([...z]).toEqual([0, 0, 0, 1, 1, 1])
  })

  it('keeps what is not chosen out of the result, NaN too', async () => {
    const samples = { c: f32([2], [0, 1]), a: f32([2], [Number.NaN, 1]), b: f32([2], [2, Number.NaN]) }
    const { y } = await evaluate(samples, ({ c, a, b }) => ({ y: where(c, a, b) }))
    expect([...y]).toEqual([2, 1])
  })

  it('refuses integers and shapes that do not fit', () => {
    expect(refusal(() => where(input('c', [2], 'i32'), input('a', [2]), input('b', [2])))).toBe(
      'where got i32[2] and f32[2] and f32[2]; it takes f32 tensors',
    )
    expect(refusal(() => where(input('c', [2]), input('a', [3]), input('b', [2])))).toBe(
      'where got f32[2] and f32[3] and f32[2]; it takes shapes that broadcast',
    )
  })
})
