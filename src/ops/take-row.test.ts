import { describe, expect, it } from 'vitest'
import { f32, i32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { apply, takeRow } from './index.ts'
import { putRowOp } from './take-row.ts'

describe('takeRow', () => {
  it('takes one row of a stack of any rank and type', async () => {
    const samples = {
      matrix: f32([3, 2], [1, 2, 3, 4, 5, 6]),
      vector: f32([3], [1, 2, 3]),
      stack: f32([3, 1, 2], [1, 2, 3, 4, 5, 6]),
      ids: i32([3, 2], [1, 2, 3, 4, 5, 6]),
      at: i32([], [2]),
    }
    const y = await evaluate(samples, ({ at, ...stacks }) =>
      Object.fromEntries(Object.entries(stacks).map(([name, t]) => [name, takeRow(t, at)])),
    )
    expect([...y.matrix]).toEqual([5, 6])
    expect([...y.vector]).toEqual([3])
    expect([...y.stack]).toEqual([5, 6])
    expect(y.ids).toEqual(Int32Array.of(5, 6))
  })

  it('refuses a scalar, and an index that is no i32 scalar', () => {
    const index = () => input('at', [], 'i32')
    expect(refusal(() => takeRow(input('x', []), index()))).toBe(
      'takeRow got f32[] and i32[]; it takes a stack [N, …] and an i32 scalar',
    )
    expect(refusal(() => takeRow(input('x', [2]), input('at', [1], 'i32')))).toContain('takeRow got f32[2] and i32[1]')
    expect(refusal(() => takeRow(input('x', [2]), input('at', [])))).toContain('takeRow got f32[2] and f32[]')
  })
})

describe('putRow', () => {
  it('puts a row into a stack of zeros', async () => {
    const { y } = await evaluate({ x: f32([2], [1, 2]), at: i32([], [1]) }, ({ x, at }) => ({
      y: apply(putRowOp, [x, at], { rows: 3 })[0],
    }))
    expect([...y]).toEqual([0, 0, 1, 2, 0, 0])
  })
})
