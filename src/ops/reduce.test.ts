import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input, trace } from '../graph/graph.ts'
import { broadcastTo, sum, sumRows, sumTo } from './index.ts'

const x = f32([2, 3], [1, 2, 3, 4, 5, 6])

describe('sumTo', () => {
  it.each([
    [[], [21]],
    [[1], [21]],
    [[1, 1], [21]],
    [[3], [5, 7, 9]],
    [
      [1, 3],
      [5, 7, 9],
    ],
    [
      [2, 1],
      [6, 15],
    ],
    [
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
  ])('shape %j', async (shape, sums) => {
    const { y } = await evaluate({ x }, ({ x }) => {
      const y = sumTo(x, shape)
      expect(y.shape).toEqual(shape)
      return { y }
    })
    expect([...y]).toEqual(sums)
  })

  it('sums in f64', async () => {
    const n = 4097
    const values = Array.from({ length: n }, (_, i) => (i === 0 ? 2 ** 24 : 1))
    const { y } = await evaluate({ x: f32([n], values) }, ({ x }) => ({ y: sum(x) }))
    expect([...y]).toEqual([2 ** 24 + n - 1]) // f32 sums would stop at 2^24
  })

  it('of more than two axes goes to a scalar', async () => {
    const { y } = await evaluate({ x: f32([2, 1, 2], [1, 2, 3, 4]) }, ({ x }) => ({ y: sum(x) }))
    expect([...y]).toEqual([10])
  })

  it('to the same shape is the tensor itself', () => {
    trace('t', () => {
      const x = input('x', [2, 3])
      expect(sumTo(x, [2, 3])).toBe(x)
      expect(broadcastTo(x, [2, 3])).toBe(x)
    })
  })

  it.each([
    ['another row', [2, 3], [2]],
    ['more axes', [3], [2, 3]],
    ['one of three axes', [2, 3, 4], [4]],
  ])('refuses %s', (_, from, to) => {
    expect(refusal(() => sumTo(input('x', from), to))).toBe(
      `sumTo got f32[${to.join(', ')}] and f32[${from.join(', ')}]; it takes a shape that broadcasts to the other`,
    )
  })

  it('refuses integers', () => {
    expect(refusal(() => sum(input('n', [3], 'i32')))).toContain('sumTo got f32[] and i32[3]')
  })
})

describe('sumRows', () => {
  it('makes a column of row sums', async () => {
    const { y } = await evaluate({ x }, ({ x }) => {
      expect(sumRows(x).shape).toEqual([2, 1])
      return { y: sumRows(x) }
    })
    expect([...y]).toEqual([6, 15])
  })
})

describe('broadcastTo', () => {
  it.each([
    [[], [7], [7, 7, 7, 7, 7, 7]],
    [[1], [7], [7, 7, 7, 7, 7, 7]],
    [[3], [1, 2, 3], [1, 2, 3, 1, 2, 3]],
    [
      [1, 3],
      [1, 2, 3],
      [1, 2, 3, 1, 2, 3],
    ],
    [
      [2, 1],
      [1, 2],
      [1, 1, 1, 2, 2, 2],
    ],
  ])('from shape %j', async (shape, values, repeated) => {
    const { y } = await evaluate({ x: f32(shape, values) }, ({ x }) => ({ y: broadcastTo(x, [2, 3]) }))
    expect([...y]).toEqual(repeated)
  })

  it('refuses shapes that do not broadcast, and integers', () => {
    expect(refusal(() => broadcastTo(input('x', [2]), [2, 3]))).toBe(
      'broadcastTo got f32[2] and f32[2, 3]; it takes a shape that broadcasts to the other',
    )
    expect(refusal(() => broadcastTo(input('x', [2, 3]), [3]))).toContain('broadcastTo got f32[2, 3] and f32[3]')
    expect(refusal(() => broadcastTo(input('n', [], 'i32'), [3]))).toContain('broadcastTo got i32[] and f32[3]')
  })
})
