import { describe, expect, it } from 'vitest'
import { f32, i32, relativeError } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { linearCrossEntropyOp } from './cross-entropy.ts'
import { linearCrossEntropy, matmul, softmax, unary } from './index.ts'

describe('linearCrossEntropy', () => {
  it('is −log of the probability of the target', async () => {
    // Logits are [ln 1, ln 2, ln 5] and [ln 5, ln 1, ln 2] (two one-hot rows through w).
    const [one, two, five] = [0, Math.log(2), Math.log(5)]
    const samples = {
      x: f32([2, 2], [1, 0, 0, 1]),
      w: f32([3, 2], [one, five, two, one, five, two]),
      targets: i32([2], [1, 0]),
    }
    const { losses, predictions } = await evaluate(samples, ({ x, w, targets }) => ({
      ...linearCrossEntropy(x, w, targets),
    }))
    expect(losses[0]).toBeCloseTo(Math.log(4), 6)
    expect(losses[1]).toBeCloseTo(Math.log(8 / 5), 6)
    expect([...predictions]).toEqual([2, 0])
  })

  it('agrees with softmax of all logits', async () => {
    const samples = { x: f32([4, 3]), w: f32([6, 3]), targets: i32([4], [5, 0, 3, 3]) }
    const { losses, negativeLogs } = await evaluate(samples, ({ x, w, targets }) => ({
      losses: linearCrossEntropy(x, w, targets).losses,
      negativeLogs: unary('neg', unary('log', softmax(matmul(x, w, { transposeB: true })))),
    }))
    const picked = Float32Array.from(losses, (_, t) => negativeLogs[t * 6 + [5, 0, 3, 3][t]])
    expect(relativeError(losses, picked)).toBeLessThan(1e-6)
  })

  it('has no loss where the target is negative, and predicts there all the same', async () => {
    const samples = { x: f32([3, 1], [1, 1, -1]), w: f32([2, 1], [3, -3]), targets: i32([3], [-1, -100, 1]) }
    const { losses, predictions } = await evaluate(samples, ({ x, w, targets }) => ({
      ...linearCrossEntropy(x, w, targets),
    }))
    expect([...losses.subarray(0, 2)]).toEqual([0, 0])
    expect(losses[2]).toBeGreaterThan(0)
    expect([...predictions]).toEqual([0, 0, 1])
  })

  it('predicts the lowest id on ties', async () => {
    const samples = { x: f32([1, 1], [1]), w: f32([4, 1], [1, 2, 2, 2]), targets: i32([1], [0]) }
    const { predictions } = await evaluate(samples, ({ x, w, targets }) => ({ ...linearCrossEntropy(x, w, targets) }))
    expect([...predictions]).toEqual([1])
  })

  it('stays finite for large logits', async () => {
    const samples = { x: f32([1, 1], [1e4]), w: f32([2, 1], [1, -1]), targets: i32([1], [1]) }
    const { losses } = await evaluate(samples, ({ x, w, targets }) => ({ ...linearCrossEntropy(x, w, targets) }))
    expect([...losses]).toEqual([2e4])
  })

  it('counts its product as FLOPs', () => {
    expect(linearCrossEntropyOp.flops!([f32([5, 3]), f32([7, 3]), i32([5], [])], {})).toBe(2 * 5 * 3 * 7)
  })

  it.each([
    ['widths that differ', [4, 3], [6, 2], [4]],
    ['another number of targets', [4, 3], [6, 3], [5]],
    ['targets with two axes', [4, 3], [6, 3], [4, 1]],
    ['a vector', [3], [6, 3], [3]],
  ])('refuses %s', (_, x, w, targets) => {
    expect(refusal(() => linearCrossEntropy(input('x', x), input('w', w), input('t', targets, 'i32')))).toBe(
      `linearCrossEntropy got f32[${x.join(', ')}] and f32[${w.join(', ')}] and i32[${targets.join(', ')}]; ` +
        'it takes x f32[T, d], w f32[V, d] and targets i32[T]',
    )
  })

  it('refuses targets that are no integers, and integers for x', () => {
    const w = () => input('w', [6, 3])
    expect(refusal(() => linearCrossEntropy(input('x', [4, 3]), w(), input('t', [4])))).toContain(
      'and f32[4]; it takes',
    )
    expect(refusal(() => linearCrossEntropy(input('x', [4, 3], 'i32'), w(), input('t', [4], 'i32')))).toContain(
      'linearCrossEntropy got i32[4, 3]',
    )
  })
})
