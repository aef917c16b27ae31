import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluate } from '../eval/index.ts'
import { type Executor, nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { loadModel, type Model, saveModel } from '../model/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask } from '../task/index.ts'
import { checkSimulateDepth, originals, randomOriginal, randomSequences, tolerance } from './check-depth.ts'
import { readLoops } from './logits.ts'
import { simulateDepth } from './simulate-depth.ts'

const native = nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32' }))
const everyBf16 = [
  referenceExecutor({ precision: 'bf16' }),
  ...nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'bf16' })),
]

/** A check that has passed: everything exact at L loops, and not one loop short. */
async function expectExact(model: Model, executor: Executor, instances: number): Promise<void> {
  const sequences = randomSequences(model.config, { instances, seed: 1 })
  const check = await checkSimulateDepth(model, { executor, sequences })
  expect(check).toMatchObject({ instances, exact: instances })
  expect(check.largestDifference).toBeLessThan(tolerance)
  expect(check.smallestGap).toBeGreaterThan(1e6)
  if (check.loops > 1) expect(check.exactOneShort).toBe(0)
}

describe.each(originals)('the looped model of %o', (settings) => {
  const model = randomOriginal(settings)

  it.runIf(native.length > 0)('computes the same, and needs every loop', () => expectExact(model, native[0], 500))

  it('computes the same on the reference', () => expectExact(model, referenceExecutor(), 4))
})

describe.each(originals.filter((_, i) => i % 3 === 0))('the looped model of %o', (settings) => {
  it.each(native.slice(1))('computes the same on $isa', (executor) =>
    expectExact(randomOriginal(settings), executor, 20),
  )
})

describe('the sizes', () => {
  it('are the published ones, and a head one wider', async () => {
    const executor = referenceExecutor()
    const sequences = [Int32Array.of(0, 1, 2, 3, 4, 5, 0, 1)]
    const { loops, sizes } = await checkSimulateDepth(randomOriginal({ plan: '1,2x2' }), { executor, sequences })
    expect(loops).toBe(5)
    expect(sizes).toEqual({
      loops: { published: 5, built: 5 },
      layers: { published: 1, built: 1 },
      dModel: { published: 13, built: 13 },
      nHeads: { published: 6, built: 6 },
      dFf: { published: '48 + O(5)', built: 48 + 3 + 6 },
      dHead: { published: 'not stated, original 4', built: 5 },
    })
  })
})

/** Columns of the state from `width` on, but for the dummy's flag, of every position after every loop. */
async function clock(model: Model, executor: Executor, tokens: Int32Array, width: number): Promise<number[][]> {
  const states = await readLoops(model, executor, tokens, tokens.length, (state) => state)
  const { dModel } = model.config
  return Array.from({ length: states.length / dModel }, (_, r) => [
    ...states.subarray(r * dModel + width, (r + 1) * dModel - 1),
  ])
}

describe('the switches', () => {
  const original = randomOriginal({ plan: '2x150', initStd: 0.01, dModel: 2, nHeads: 1, dFf: 1, bias: false })
  const tokens = Int32Array.of(6, 1, 2)
  const expected = Array.from({ length: 900 }, (_, i) => {
    const loop = Math.floor(i / 3) + 1
    return loop === 300 ? [1, 1, 300] : [loop % 2, 1 - (loop % 2), loop]
  })

  it.each([referenceExecutor(), ...native])('are exact for 300 loops on $name $isa', async (executor) => {
    expect(await clock(simulateDepth(original), executor, tokens, 2)).toEqual(expected)
  })

  it.each(everyBf16)('are exact in bf16 up to loop 257, which bf16 cannot count, on $name $isa', async (executor) => {
    const states = await clock(simulateDepth(original), executor, tokens, 2)
    expect(states.slice(0, 257 * 3)).toEqual(expected.slice(0, 257 * 3))
    expect(states[257 * 3]).not.toEqual(expected[257 * 3])
  })

  it('stay off after the last loop, so that more loops change nothing', async () => {
    const looped = simulateDepth(randomOriginal({ plan: '1,2x2' }))
    const longer = { ...looped, config: { ...looped.config, plan: '1x9' } }
    const states = await clock(longer, referenceExecutor(), tokens, 0)
    expect(states.slice(-3).map((row) => row.slice(0, 8))).toEqual(states.slice(12, 15).map((row) => row.slice(0, 8)))
  })
})

describe('bf16', () => {
  it.each(everyBf16)('gives the same bits without biases and RoPE on $name $isa', async (executor) => {
    const model = randomOriginal({ plan: '2x3', bias: false, positions: 'learned' })
    const sequences = randomSequences(model.config, { instances: 20, seed: 0 })
    const check = await checkSimulateDepth(model, { executor, sequences })
    expect(check).toMatchObject({ exact: 20, largestDifference: 0 })
  })

  it.each([
    ['a bias, which is rounded as a weight', { positions: 'learned' }],
    ['RoPE, which rounds keys one position on', { bias: false }],
  ] as const)('is off by rounding with %s', async (_, settings) => {
    const executor = referenceExecutor({ precision: 'bf16' })
    const model = randomOriginal({ plan: '2x3', ...settings })
    const sequences = randomSequences(model.config, { instances: 20, seed: 0 })
    const check = await checkSimulateDepth(model, { executor, sequences })
    expect(check.exact).toBe(0)
    expect(check.largestDifference).toBeLessThan(0.2)
  })
})

describe('the built model', () => {
  const of = { name: 'phop', n: 12, p: 1, loss: 'every' }
  const original = randomOriginal({ plan: '1,1x3', positions: 'learned', vocabulary: 4, maxLength: 12 })

  it('saves, loads and is evaluated like any other, padding and all', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
    await saveModel(folder, simulateDepth(original))
    const looped = await loadModel(folder)
    await rm(folder, { recursive: true })
    const options = { samples: 50, seed: 3 }
    const [wanted, got] = [
      await evaluate(original, createTask(of), referenceExecutor(), options),
      await evaluate(looped, createTask({ name: 'dummy-first', of }), referenceExecutor(), options),
    ]
    expect(got).toMatchObject({ accuracy: wanted.accuracy, samples: 50, tokens: 50 * 13, plan: '1x4', loops: 4 })
    expect(got.loss).toBeCloseTo(wanted.loss, 5)
  })
})

describe('simulateDepth refuses', () => {
  it.each([
    [{ norm: 'rms' }, 'norm is "rms": the theorem has no norms'],
    [{ activation: 'gelu' }, 'activation is "gelu": the theorem is of ReLU'],
    [{ dHead: 3 }, 'dHead is 3: with RoPE it must be even'],
    [{ plan: '1x2897' }, 'plan 1x2897 has 2897 effective layers: at most 2896 are exact'],
  ] as const)('%o', (settings, message) => {
    const model = randomOriginal({ plan: '2', ...settings })
    expect(() => simulateDepth(model)).toThrow(LatheError)
    expect(() => simulateDepth(model)).toThrow(`simulate-depth: ${message}`)
  })
})
