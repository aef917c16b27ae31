import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { softmax } from './index.ts'

const { NEGATIVE_INFINITY } = Number

describe('softmax', () => {
  it('makes each row a distribution', async () => {
    const x = f32([2, 3], [0, Math.log(2), Math.log(5), 1, 1, 1])
    const { y } = await evaluate({ x }, ({ x }) => ({ y: softmax(x) }))
    ;[1 / 8, 2 / 8, 5 / 8, 1 / 3, 1 / 3, 1 / 3].forEach((p, i) => {
      expect(y[i]).toBeCloseTo(p, 6)
    })
  })

  it('stays finite for large scores and gives 0 for −∞', async () => {
    const x = f32([2, 2], [1e30, -1e30, NEGATIVE_INFINITY, -5e4])
    const { y } = await evaluate({ x }, ({ x }) => ({ y: softmax(x) }))
    expect([...y]).toEqual([1, 0, 0, 1])
  })

  it('refuses what is no matrix', () => {
    expect(refusal(() => softmax(input('x', [3])))).toBe('softmax got f32[3]; it takes f32 matrices')
  })
})
