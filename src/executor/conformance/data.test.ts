import { describe, expect, it } from 'vitest'
import { RandomStream } from '../../tensor/random.ts'
import { below, deviation, drawAll, drawValues, f32, i32, masked, offZero, positive, relativeError } from './data.ts'

const values = (...numbers: number[]) => Float32Array.from(numbers)

describe('relativeError', () => {
  it.each([
    ['nothing', values(3, 4), values(3, 4), 0],
    ['a tenth', values(3.5, 4), values(3, 4), 0.1],
    ['two zeros', values(0, 0), values(0, 0), 0],
    ['something beside zero', values(1, 0), values(0, 0), Number.POSITIVE_INFINITY],
    ['NaN', values(Number.NaN, 4), values(3, 4), Number.NaN],
    ['NaN that is wanted', values(3, 4), values(3, Number.NaN), Number.NaN],
  ])('of %s', (_, a, b, error) => {
    expect(relativeError(a, b)).toBe(error)
  })

  it('has no answer for another length', () => {
    expect(() => relativeError(values(1), values(1, 2))).toThrow('1 numbers beside 2')
  })
})

describe('deviation', () => {
  it('is the error itself beside zeros alone, and never hides a NaN', () => {
    expect(deviation(values(3, 4), values(0, 0))).toBeCloseTo(Math.sqrt(12.5), 12)
    expect(deviation(values(3.5, 4), values(3, 4))).toBe(0.1)
    expect(deviation(values(), values())).toBe(0)
    expect(deviation(values(Number.NaN), values(0))).toBeNaN()
    expect(deviation(values(1), values(Number.NaN))).toBeNaN()
  })
})

describe('samples', () => {
  const many = (draw: Parameters<typeof f32>[1]) => [...drawValues(f32([1000], draw), new RandomStream(1)).data]

  it('are drawn within their ranges', () => {
    expect(Math.min(...many(positive))).toBeGreaterThanOrEqual(0.5)
    expect(Math.min(...many(offZero).map(Math.abs))).toBeGreaterThan(0.1)
    expect(new Set(many(below(3)))).toEqual(new Set([0, 1, 2]))
    expect(new Set(many(masked(2)))).toEqual(new Set([-1, 0, 1]))
  })

  it('have a stream each: one more changes no other', () => {
    expect(drawAll({ a: f32([3]), b: i32([2], below(9)) }, 's').b).toEqual(drawAll({ b: i32([2], below(9)) }, 's').b)
  })

  it('repeat the values that they are given, and count them', () => {
    expect([...drawValues(f32([2], [1, 2]), new RandomStream(1), 2).data]).toEqual([1, 2, 1, 2])
    expect(() => drawValues(f32([2], [1]), new RandomStream(1))).toThrow('1 values for 2')
  })
})
