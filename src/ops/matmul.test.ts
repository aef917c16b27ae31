import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input } from '../graph/graph.ts'
import { matmul } from './index.ts'
import { matmulOp } from './matmul.ts'

describe('matmul', () => {
  // [1 2 3; 4 5 6] · [1 0; 2 1; 0 −1] by hand.
  const a = f32([2, 3], [1, 2, 3, 4, 5, 6])
  const aT = f32([3, 2], [1, 4, 2, 5, 3, 6])
  const b = f32([3, 2], [1, 0, 2, 1, 0, -1])
  const bT = f32([2, 3], [1, 2, 0, 0, 1, -1])

  it('multiplies, whichever operand lies transposed', async () => {
    const y = await evaluate({ a, aT, b, bT }, ({ a, aT, b, bT }) => ({
      plain: matmul(a, b),
      A: matmul(aT, b, { transposeA: true }),
      B: matmul(a, bT, { transposeB: true }),
      both: matmul(aT, bT, { transposeA: true, transposeB: true }),
    }))
    for (const [name, product] of Object.entries(y)) expect([...product], name).toEqual([5, -1, 14, -1])
  })

  it('sums in f64', async () => {
    const ones = Array<number>(4097).fill(1)
    const samples = { a: f32([1, 4097], [2 ** 24, ...ones.slice(1)]), b: f32([4097, 1], ones) }
    const { y } = await evaluate(samples, ({ a, b }) => ({ y: matmul(a, b) }))
    expect([...y]).toEqual([2 ** 24 + 4096])
  })

  it('rounds its operands, and nothing else, in bf16', async () => {
    const third = Math.fround(1 / 3)
    const rounded = 0.333984375 // bf16 has 8 bits: 171/512
    const executor = referenceExecutor({ precision: 'bf16' })
    const samples = { a: f32([1, 2], [third, 1]), b: f32([2, 1], [third, third]) }
    const { y } = await evaluate(samples, ({ a, b }) => ({ y: matmul(a, b) }), executor)
    expect([...y]).toEqual([Math.fround(rounded ** 2 + rounded)])
  })

  it('counts a multiply and an add for each term', () => {
    const types = [f32([2, 3]), f32([3, 5])]
    expect(matmulOp.flops!(types, {})).toBe(60)
    expect(matmulOp.flops!([f32([3, 2]), f32([5, 3])], { transposeA: true, transposeB: true })).toBe(60)
  })

  it.each([
    ['inner sizes', [2, 3], [2, 3], {}, 'equal inner sizes, not 3 and 2'],
    ['inner sizes, A transposed', [2, 3], [3, 2], { transposeA: true }, 'equal inner sizes, not 2 and 3'],
    ['inner sizes, B transposed', [2, 3], [3, 2], { transposeB: true }, 'equal inner sizes, not 3 and 2'],
    ['a vector', [2, 3], [3], {}, 'f32 matrices'],
    ['three axes', [1, 2, 3], [3, 2], {}, 'f32 matrices'],
  ])('refuses %s', (_, a, b, options, wanted) => {
    expect(refusal(() => matmul(input('a', a), input('b', b), options))).toBe(
      `matmul got f32[${a.join(', ')}] and f32[${b.join(', ')}]; it takes ${wanted}`,
    )
  })

  it('refuses integers', () => {
    expect(refusal(() => matmul(input('a', [2, 2], 'i32'), input('b', [2, 2])))).toContain('it takes f32 matrices')
  })
})
