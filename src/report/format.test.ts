import { describe, expect, it } from 'vitest'
import {
  formatCount,
  formatDuration,
  formatFlops,
  formatInteger,
  formatLoss,
  formatParameters,
  formatPercent,
  formatRate,
} from './format.ts'

const cases = <T>(format: (value: T) => string, expected: readonly (readonly [T, string])[]) =>
  it.each(expected)(`${format.name}(%s) is %s`, (value, text) => {
    expect(format(value)).toBe(text)
  })

describe('numbers for people', () => {
  cases(formatParameters, [
    [0, '0'],
    [512, '512'],
    [999, '999'],
    [1_000, '1.0 k'],
    [9_940, '9.9 k'],
    [9_960, '10 k'],
    [201_472, '201 k'],
    [999_499, '999 k'],
    [999_500, '1.0 M'],
    [1_234_567, '1.2 M'],
    [70_553_706_496, '71 G'],
    [-1_234, '-1.2 k'],
  ])
  cases(formatCount, [
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ])
  cases(formatFlops, [
    [0, '0 FLOP'],
    [168.3e9, '168 GFLOP'],
    [3.1e12, '3.1 TFLOP'],
    [12e15, '12 PFLOP'],
    [3e27, '3000 YFLOP'],
  ])
  cases(formatPercent, [
    [0, '0.0 %'],
    [0.973, '97.3 %'],
    [0.25, '25.0 %'],
    [1, '100.0 %'],
  ])
  cases(formatDuration, [
    [0.42, '0.4 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 m 0 s'],
    [72, '1 m 12 s'],
    [3_599.7, '1 h 0 m'],
    [7_500, '2 h 5 m'],
    [86_400, '1 d 0 h'],
    [273_600, '3 d 4 h'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])
  cases(formatLoss, [
    [1.3863, '1.386'],
    [0.042, '0.042'],
    [0.00031, '3.1e-4'],
    [0, '0.000'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])
  cases(formatInteger, [
    [1_500, '1,500'],
    [200_000, '200,000'],
    [0, '0'],
  ])

  it('writes rates with the unit', () => {
    expect(formatRate(54_321, 'tokens')).toBe('54 k tokens/s')
    expect(formatRate(2.1e11, 'FLOP')).toBe('210 GFLOP/s')
  })
})
