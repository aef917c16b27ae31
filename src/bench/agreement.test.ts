import { describe, expect, it } from 'vitest'
import { compareGradients, disagreement } from './agreement.ts'

const of = (loss: number, gradients: Record<string, number[]>) => ({
  loss,
  gradients: Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, Float32Array.from(g)])),
})
const wanted = of(2, { a: [3, 4], b: [0, 12] })

describe('compareGradients', () => {
  it('is 0 for the same', () => {
    expect(compareGradients(wanted, wanted)).toEqual({ loss: 0, whole: 0, worstTensor: 0, tensor: 'a' })
  })

  it('measures the whole as one vector and names the worst tensor', () => {
    const got = compareGradients(of(2.5, { a: [3, 5], b: [0, 12] }), wanted)
    expect(got).toEqual({ loss: 0.25, whole: 1 / 13, worstTensor: 1 / 5, tensor: 'a' })
  })

  it.each([
    ['a', { a: [Number.NaN, 4], b: [0, 12] }],
    ['b', { a: [9, 4], b: [Number.NaN, 12] }],
  ])('a number that is none is the worst there is, in %s', (tensor, gradients) => {
    const got = of(2, gradients)
    expect(compareGradients(got, wanted)).toMatchObject({ tensor, whole: Number.NaN, worstTensor: Number.NaN })
    expect(disagreement(got, wanted)).toBeNaN()
  })

  it('a gradient where there should be none is infinitely far off', () => {
    expect(compareGradients(of(2, { a: [1] }), of(2, { a: [0] })).whole).toBe(Number.POSITIVE_INFINITY)
  })

  it.each([
    [{ a: [3, 4] }, 'the gradient of b has none, not 2'],
    [{ a: [3, 4], b: [0] }, 'the gradient of b has 1 numbers, not 2'],
  ])('refuses %j', (gradients: Record<string, number[]>, message) => {
    expect(() => compareGradients(of(2, gradients), wanted)).toThrow(message)
  })
})

it('loss or gradients disagree, whichever is further', () => {
  expect(disagreement(of(2.5, { a: [3, 4], b: [0, 12] }), wanted)).toBe(0.25)
  expect(disagreement(of(2, { a: [3, 4], b: [0, 25] }), wanted)).toBe(1)
})
