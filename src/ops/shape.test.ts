import { describe, expect, it } from 'vitest'
import { f32, i32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input, type Tensor } from '../graph/graph.ts'
import { apply, concat, reshape, shift, slice, transpose } from './index.ts'
import { padOp } from './shape.ts'

/** 3 × 4: 1 … 12. */
const x = f32([3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])

/** Shape and values of what `fn` makes of x. */
async function made(fn: (x: Tensor) => Tensor): Promise<[readonly number[], number[]]> {
  let shape: readonly number[] = []
  const { y } = await evaluate({ x }, ({ x }) => {
    const y = fn(x)
    shape = y.shape
    return { y }
  })
  return [shape, [...y]]
}

describe('slice', () => {
  it('takes rows or columns', async () => {
    expect(await made((x) => slice(x, 0, 1, 2))).toEqual([
      [2, 4],
      [5, 6, 7, 8, 9, 10, 11, 12],
    ])
    expect(await made((x) => slice(x, 1, 2, 1))).toEqual([
      [3, 1],
      [3, 7, 11],
    ])
  })

  it.each([
    ['rows before the first', 0, -1, 2, 'axis 0, not -1 … 1'],
    ['rows after the last', 0, 2, 2, 'axis 0, not 2 … 4'],
    ['columns after the last', 1, 0, 5, 'axis 1, not 0 … 5'],
    ['nothing', 1, 2, 0, 'axis 1, not 2 … 2'],
  ] as const)('refuses %s', (_, axis, start, size, wanted) => {
    expect(refusal(() => slice(input('x', [3, 4]), axis, start, size))).toBe(
      `slice got f32[3, 4]; it takes a range within ${wanted}`,
    )
  })

  it('refuses a vector', () => {
    expect(refusal(() => slice(input('x', [3]), 0, 0, 1))).toBe('slice got f32[3]; it takes a matrix')
    expect(refusal(() => slice(input('x', [3, 3]), 0, 0.5, 1))).toContain('a range within axis 0, not 0.5 … 1.5')
    expect(refusal(() => slice(input('x', [3, 3]), 2 as 0, 0, 1))).toContain('axis 0 or 1, not 2')
  })
})

describe('pad', () => {
  it('is what a slice was cut from, with zeros around', async () => {
    const rows = (x: Tensor) => apply(padOp, [slice(x, 0, 1, 1)], { axis: 0, start: 1, size: 3 })[0]
    expect(await made(rows)).toEqual([
      [3, 4],
      [0, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 0],
    ])
    const columns = (x: Tensor) => apply(padOp, [slice(x, 1, 2, 2)], { axis: 1, start: 1, size: 4 })[0]
    expect(await made(columns)).toEqual([
      [3, 4],
      [0, 3, 4, 0, 0, 7, 8, 0, 0, 11, 12, 0],
    ])
  })
})

describe('concat', () => {
  it('stacks rows, or sets columns side by side', async () => {
    expect(await made((x) => concat([slice(x, 0, 2, 1), slice(x, 0, 0, 2)], 0))).toEqual([
      [3, 4],
      [9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8],
    ])
    expect(await made((x) => concat([slice(x, 1, 3, 1), slice(x, 1, 0, 2), slice(x, 1, 3, 1)], 1))).toEqual([
      [3, 4],
      [4, 1, 2, 4, 8, 5, 6, 8, 12, 9, 10, 12],
    ])
  })

  it('takes one part', async () => {
    expect((await made((x) => concat([x], 1)))[1]).toEqual(x.values)
  })

  it('refuses no part, and parts that do not fit', () => {
    expect(refusal(() => concat([], 0))).toBe('concat got nothing; it takes one matrix or more')
    expect(refusal(() => concat([input('a', [2, 3]), input('b', [2, 4])], 0))).toBe(
      'concat got f32[2, 3] and f32[2, 4]; it takes equal sizes in axis 1',
    )
    expect(refusal(() => concat([input('a', [2, 3]), input('b', [3, 3])], 1))).toContain('equal sizes in axis 0')
    expect(refusal(() => concat([input('a', [2, 3]), input('b', [2, 3], 'i32')], 0))).toBe(
      'concat got f32[2, 3] and i32[2, 3]; it takes matrices of one type',
    )
  })
})

describe('shift', () => {
  it.each([
    [0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
    [1, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]],
    [2, [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]],
    [-1, [5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0]],
    [3, Array(12).fill(0)],
    [-3, Array(12).fill(0)],
    [100, Array(12).fill(0)],
    [-100, Array(12).fill(0)],
  ])('by %i rows', async (by, values) => {
    expect(await made((x) => shift(x, by))).toEqual([[3, 4], values])
  })

  it('refuses a vector', () => {
    expect(refusal(() => shift(input('x', [3]), 1))).toBe('shift got f32[3]; it takes a matrix')
    expect(refusal(() => shift(input('x', [3, 1]), 0.5))).toBe(
      'shift got f32[3, 1]; it takes a whole number of rows, not 0.5',
    )
  })
})

describe('integers', () => {
  it('are cut, joined and shifted as they are', async () => {
    const { y } = await evaluate({ n: i32([3, 2], [1, 2, 3, 4, 5, 6]) }, ({ n }) => ({
      y: concat([shift(n, 1), slice(n, 0, 2, 1)], 0),
    }))
    expect(y).toEqual(Int32Array.of(0, 0, 1, 2, 3, 4, 5, 6))
  })
})

describe('transpose', () => {
  it('turns rows into columns', async () => {
    expect(await made(transpose)).toEqual([
      [4, 3],
      [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12],
    ])
  })

  it('refuses a vector', () => {
    expect(refusal(() => transpose(input('x', [3])))).toBe('transpose got f32[3]; it takes f32 matrices')
  })
})

describe('reshape', () => {
  it('keeps the order of the values', async () => {
    expect(await made((x) => reshape(x, [2, 3, 2]))).toEqual([[2, 3, 2], x.values])
    expect(await made((x) => reshape(slice(x, 1, 0, 1), [3]))).toEqual([[3], [1, 5, 9]])
  })

  it('refuses another number of elements', () => {
    expect(refusal(() => reshape(input('x', [3, 4]), [5, 2]))).toBe(
      'reshape got f32[3, 4]; it takes as many elements as [5, 2] has',
    )
  })
})
