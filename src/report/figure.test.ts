import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { checkFraction, spread } from './figure.ts'

describe('spread', () => {
  it('leaves alone what is apart', () => {
    expect(spread([10, 40, 80], 16, 0, 100)).toEqual([10, 40, 80])
  })

  it('moves coinciding values apart around their place, in their order', () => {
    expect(spread([50, 50, 50], 16, 0, 100)).toEqual([34, 50, 66])
    expect(spread([52, 50], 16, 0, 100)).toEqual([59, 43])
  })

  it('stays within its limits', () => {
    expect(spread([1, 0], 16, 0, 100)).toEqual([16, 0])
    expect(spread([100, 99, 100], 16, 0, 100)).toEqual([84, 68, 100])
    expect(spread([], 16, 0, 100)).toEqual([])
  })

  it('always keeps the gap, the limits and the order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 12 }), (values) => {
        const places = spread(values, 16, 0, 300)
        const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b)
        order.forEach((index, rank) => {
          expect(places[index]).toBeGreaterThanOrEqual(0)
          expect(places[index]).toBeLessThanOrEqual(300 + 1e-9)
          if (rank > 0) expect(places[index]! - places[order[rank - 1]!]!).toBeGreaterThanOrEqual(16 - 1e-9)
        })
      }),
    )
  })
})

describe('checkFraction', () => {
  it.each([0, 0.5, 1])('takes %s', (value) => {
    expect(checkFraction(value, 'here')).toBe(value)
  })

  it.each([98, -0.1, 1.0001, Number.NaN])('refuses %s', (value) => {
    expect(() => checkFraction(value, '1x4 at 4 loops')).toThrow(LatheError)
    expect(() => checkFraction(value, '1x4 at 4 loops')).toThrow(
      `1x4 at 4 loops: accuracy must be a fraction from 0 to 1, got ${value}`,
    )
  })
})
