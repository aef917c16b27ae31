import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { broadcastShape } from './arithmetic.ts'
import { add, div, mul, sub } from './index.ts'

const type = (shape: number[]) => ({ shape, dtype: 'f32' as const })

describe('broadcastShape', () => {
  it.each([
    [[], [], []],
    [[], [3], [3]],
    [[1], [], [1]],
    [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3], [2, 3]],
    [
      [2, 3],
      [1, 3],
      [2, 3],
    ],
    [
      [2, 3],
      [2, 1],
      [2, 3],
    ],
    [[2, 1], [3], [2, 3]],
    [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 4],
    ],
    [[2, 3, 4], [], [2, 3, 4]],
    [
      [1, 1, 1],
      [2, 3, 4],
      [2, 3, 4],
    ],
  ])('of %j and %j is %j', (a, b, both) => {
    expect(broadcastShape('op', [type(a), type(b)])).toEqual(both)
    expect(broadcastShape('op', [type(b), type(a)])).toEqual(both)
  })

  it.each([
    [[2, 3], [2], 'shapes that broadcast'],
    [[2, 3], [3, 2], 'shapes that broadcast'],
    [[4], [3], 'shapes that broadcast'],
    [[2, 3, 4], [4], 'equal shapes beyond two axes'],
    [[2, 3, 4], [3, 4], 'equal shapes beyond two axes'],
    [[2, 1, 1], [1, 3, 1], 'equal shapes beyond two axes'],
  ])('refuses %j and %j', (a, b, wanted) => {
    expect(refusal(() => broadcastShape('op', [type(a), type(b)]))).toBe(
      `op got f32[${a.join(', ')}] and f32[${b.join(', ')}]; it takes ${wanted}`,
    )
  })
})

describe('arithmetic', () => {
  const a = f32([2, 3], [1, 2, 3, 4, 5, 6])
  const row = f32([3], [1, -2, 4])
  const column = f32([2, 1], [2, 8])
  const scalar = f32([], [4])

  it('adds, subtracts, multiplies and divides', async () => {
    const { sum, difference, product, quotient } = await evaluate(
      { a, b: f32([2, 3], [8, 4, 2, 1, 2, 4]) },
      ({ a, b }) => ({
        sum: add(a, b),
        difference: sub(a, b),
        product: mul(a, b),
        quotient: div(a, b),
      }),
    )
    expect([...sum]).toEqual([9, 6, 5, 5, 7, 10])
    expect([...difference]).toEqual([-7, -2, 1, 3, 3, 2])
    expect([...product]).toEqual([8, 8, 6, 4, 10, 24])
    expect([...quotient]).toEqual([0.125, 0.5, 1.5, 4, 2.5, 1.5])
  })

  it('repeats rows, columns and scalars, on either side', async () => {
    const y = await evaluate({ a, row, column, scalar }, ({ a, row, column, scalar }) => ({
      byRow: sub(a, row),
      rowBy: sub(row, a),
      byColumn: sub(a, column),
      columnBy: sub(column, a),
      byScalar: sub(a, scalar),
      scalarBy: sub(scalar, a),
      outer: sub(column, row),
    }))
    expect([...y.byRow]).toEqual([0, 4, -1, 3, 7, 2])
    expect([...y.rowBy]).toEqual([-0, -4, 1, -3, -7, -2].map((x) => x + 0))
    expect([...y.byColumn]).toEqual([-1, 0, 1, -4, -3, -2])
    expect([...y.columnBy]).toEqual([1, 0, -1, 4, 3, 2])
    expect([...y.byScalar]).toEqual([-3, -2, -1, 0, 1, 2])
    expect([...y.scalarBy]).toEqual([3, 2, 1, 0, -1, -2])
    expect([...y.outer]).toEqual([1, 4, -2, 7, 10, 4])
  })

  it('takes numbers for operands', async () => {
    const { y } = await evaluate({ row }, ({ row }) => ({ y: div(1, add(row, 4)) }))
    expect([...y]).toEqual([0.2, 0.5, 0.125].map(Math.fround))
  })

  it('goes by IEEE 754 where there is no number', async () => {
    const { y } = await evaluate({ x: f32([4], [1, -1, 0, Number.NaN]) }, ({ x }) => ({ y: div(x, mul(x, 0)) }))
    expect([...y]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, Number.NaN])
  })

  it.each(Object.entries({ add, sub, mul, div }))('%s refuses integers', (name, op) => {
    expect(refusal(() => op(input('x', [2]), input('n', [2], 'i32')))).toBe(
      `${name} got f32[2] and i32[2]; it takes f32 tensors`,
    )
  })

  it('refuses shapes that do not broadcast', () => {
    expect(refusal(() => mul(input('x', [2, 3]), input('y', [2])))).toBe(
      'mul got f32[2, 3] and f32[2]; it takes shapes that broadcast',
    )
  })
})
