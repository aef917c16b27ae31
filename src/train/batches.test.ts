import { describe, expect, it } from 'vitest'
import { createTask, type Sample, type Task } from '../task/index.ts'
import { drawBatch } from './batches.ts'

const task = createTask({ name: 'phop', n: 8, p: 1, loss: 'every' })
const settings = { seed: 3, batch: 12, accumulation: 1 }

/** A task whose sample `index` has index + 1 tokens, all but the first scored with weight index + 1. */
const ragged = (attention: Task['attention']): Task => ({
  ...task,
  attention,
  length: 4,
  sample: ({ index }): Sample => {
    const length = (index % 4) + 1
    const at = (f: (t: number) => number) => Array.from({ length }, (_, t) => f(t))
    const targets = Int32Array.from(at((t) => (t === 0 ? -1 : 2)))
    return {
      tokens: new Int32Array(length).fill(1),
      targets,
      weights: Float32Array.from(at((t) => (t === 0 ? 0 : length))),
    }
  },
})

describe('drawBatch', () => {
  it('takes the samples of its step, in order, with weights that sum to 1', () => {
    const [{ count, inputs }] = drawBatch(task, 5, settings)
    expect(count).toBe(12)
    for (let b = 0; b < 12; b++) {
      const { tokens, targets, weights } = task.sample({ seed: 3, split: 'train', index: 60 + b })
      expect(inputs.tokens.subarray(8 * b, 8 * b + 8)).toEqual(tokens)
      expect(inputs.targets.subarray(8 * b, 8 * b + 8)).toEqual(targets)
      const scored = inputs.lossWeights.subarray(8 * b, 8 * b + 8)
      expect(scored.map((w) => Number(w > 0))).toEqual(weights)
    }
    expect(inputs.lossWeights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6)
  })

  it('cut into parts is the same batch, weighted over the whole of it', () => {
    const [whole] = drawBatch(task, 2, settings)
    const parts = drawBatch(task, 2, { ...settings, accumulation: 3 })
    expect(parts.map(({ count }) => count)).toEqual([4, 4, 4])
    for (const name of ['tokens', 'targets', 'lossWeights'] as const)
      expect(parts.flatMap(({ inputs }) => [...inputs[name]])).toEqual([...whole.inputs[name]])
  })

  it('is the same for the same seed and step, and another for others', () => {
    expect(drawBatch(task, 7, settings)).toEqual(drawBatch(task, 7, settings))
    expect(drawBatch(task, 8, settings)).not.toEqual(drawBatch(task, 7, settings))
    expect(drawBatch(task, 7, { ...settings, seed: 4 })).not.toEqual(drawBatch(task, 7, settings))
  })

  it('pads short samples on the right where no position sees what follows it', () => {
    const [{ inputs }] = drawBatch(ragged('causal'), 0, { seed: 0, batch: 4, accumulation: 1 })
    expect([...inputs.tokens]).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1])
    expect([...inputs.targets]).toEqual([-1, -1, -1, -1, -1, 2, -1, -1, -1, 2, 2, -1, -1, 2, 2, 2])
    const weights = [0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 3, 0, 0, 4, 4, 4].map((w) => Math.fround(w / 20))
    expect([...inputs.lossWeights]).toEqual(weights)
    const longer = { ...ragged('causal'), length: 64 }
    expect(drawBatch(longer, 0, { seed: 0, batch: 4, accumulation: 1 }).map(({ length }) => length)).toEqual([16])
    expect(() => drawBatch(ragged('bidirectional'), 0, { seed: 0, batch: 4, accumulation: 1 })).toThrow(
      'a bidirectional model trains on sequences of 4 tokens only',
    )
  })
})
