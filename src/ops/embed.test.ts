import { describe, expect, it } from 'vitest'
import { f32, i32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { embedGradOp } from './embed.ts'
import { apply, embed } from './index.ts'

describe('embed', () => {
  const table = f32([3, 2], [1, 2, 3, 4, 5, 6])

  it('looks rows up', async () => {
    const { y } = await evaluate({ table, ids: i32([4], [2, 0, 2, 1]) }, ({ table, ids }) => ({ y: embed(table, ids) }))
    expect([...y]).toEqual([5, 6, 1, 2, 5, 6, 3, 4])
  })

  it('adds cotangents of repeated ids up, in f64', async () => {
    const big = 2 ** 24
    const samples = { ids: i32([5], [1, 1, 1, 2, 1]), ct: f32([5, 2], [big, 1, 1, 1, 1, 1, 7, 8, 1, 0]) }
    const { y } = await evaluate(samples, ({ ids, ct }) => ({ y: apply(embedGradOp, [ids, ct], { vocabulary: 3 })[0] }))
    expect([...y]).toEqual([0, 0, big + 4, 3, 7, 8].map(Math.fround))
  })

  it.each([
    ['a vector for a table', [3], [2]],
    ['ids with two axes', [3, 2], [2, 2]],
  ])('refuses %s', (_, table, ids) => {
    expect(refusal(() => embed(input('t', table), input('i', ids, 'i32')))).toBe(
      `embed got f32[${table.join(', ')}] and i32[${ids.join(', ')}]; it takes a table f32[V, d] and ids i32[T]`,
    )
  })

  it('refuses ids that are no integers, and a table of integers', () => {
    expect(refusal(() => embed(input('t', [3, 2]), input('i', [2])))).toContain('embed got f32[3, 2] and f32[2]')
    expect(refusal(() => embed(input('t', [3, 2], 'i32'), input('i', [2], 'i32')))).toContain('embed got i32[3, 2]')
  })
})
