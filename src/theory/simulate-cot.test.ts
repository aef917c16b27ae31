import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { evaluate } from '../eval/index.ts'
import { chooseExecutor, type Executor, nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { loadModel, type Model, saveModel } from '../model/index.ts'
import { slice } from '../ops/index.ts'
import { LoopPlan, loopedAt } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import type { Sample, Task } from '../task/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { checkSimulateCot, greedyChains, latentTokens } from './check-cot.ts'
import { checkSimulateDepth, type RandomSettings, randomOriginal, randomSequences } from './check-depth.ts'
import { best, logitsOf, readLoops } from './logits.ts'
import { drawDigits, runningSums, trainRunningSums } from './running-sums.fixture.ts'
import { resolution, simulateCot } from './simulate-cot.ts'
import { simulateDepth } from './simulate-depth.ts'

const fast = chooseExecutor({ precision: 'f32' })
const native = nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32' }))
const everyBf16 = [
  referenceExecutor({ precision: 'bf16' }),
  ...nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'bf16' })),
]

const task = { n: 6, q: 5 }
const shape = { n: 6, m: 6 }
const prompts = drawDigits(task, 200, new RandomStream(1, 'prompts'))

let trained: Model
beforeAll(async () => {
  trained = await trainRunningSums(task, { executor: fast, seed: 0, steps: 200 })
})

describe('the original', () => {
  it('writes running sums, one token at a time', async () => {
    const { tokens } = await greedyChains(trained, fast, prompts, shape)
    expect(tokens).toEqual(runningSums(prompts, task))
  })

  it('is one looped layer, too, as a model that was trained', async () => {
    const sequences = randomSequences(trained.config, { instances: 100, seed: 0 })
    const check = await checkSimulateDepth(trained, { executor: fast, sequences })
    expect(check).toMatchObject({ exact: 100, exactOneShort: 0, loops: 2 })
  })
})

describe('the looped model', () => {
  it('is one layer looped 30 times, after Theorem 5.2', async () => {
    const once = simulateDepth(simulateCot(trained, shape))
    const [start, T] = [Int32Array.of(6, 4, 3, 2, 1, 0, 4, 5, 5, 5, 5, 5, 5), 13]
    const logits = await logitsOf(once, fast, start, T)
    const tokens = Array.from({ length: T }, (_, slot) => best(logits.subarray(slot * 7, slot * 7 + 7)).token)
    expect(once.config.plan).toBe('1x30')
    expect(tokens.slice(7)).toEqual([4, 2, 4, 0, 0, 4])
  })

  it.each(native)('replays 200 chains and needs every loop on $name $isa', async (executor) => {
    const check = await checkSimulateCot(trained, { executor, prompts, ...shape })
    expect(check).toMatchObject({ instances: 200, exact: 200, loops: 6, exactOneShort: 0, unresolved: [] })
    expect(check.chains).toEqual(runningSums(prompts, task))
    expect(check.smallestGap).toBeGreaterThan(0.1)
  })

  it('replays chains on the reference', async () => {
    const options = { executor: referenceExecutor(), prompts: prompts.subarray(0, 24), ...shape }
    expect(await checkSimulateCot(trained, options)).toMatchObject({ instances: 4, exact: 4, exactOneShort: 0 })
  })

  it('has the published loops and the derived sizes', async () => {
    const options = { executor: fast, prompts: prompts.subarray(0, 6), ...shape }
    const { sizes } = await checkSimulateCot(trained, options)
    expect(sizes).toMatchObject({
      loops: { published: 6, built: 6 },
      layers: { published: '2 + O(1)', built: 2 + 3 },
      // 3 codes of 4 bits for slots, 3 of 3 bits for tokens, 5 scores, 1 count
      dModel: { published: '32 + O(log 12)', built: 32 + 3 * 4 + 3 * 3 + 5 + 1 },
      vocabulary: { published: 6, built: 6 },
    })
  })

  it('changes nothing more in a loop more', async () => {
    const looped = simulateCot(trained, shape)
    const longer = { ...looped, config: { ...looped.config, plan: '5x7' } }
    const start = Int32Array.of(4, 3, 2, 1, 0, 4, 5, 5, 5, 5, 5, 5)
    const latent = await latentTokens(longer, fast, start, 12)
    expect([...latent.slice(0, 12)]).toEqual([4, 3, 2, 1, 0, 4, 4, 5, 5, 5, 5, 5])
    expect([...latent.slice(5 * 12, 6 * 12)]).toEqual([4, 3, 2, 1, 0, 4, 4, 2, 4, 0, 0, 4])
    expect(latent.slice(6 * 12)).toEqual(latent.slice(5 * 12, 6 * 12))
  })

  it('saves, loads and is evaluated like any other, and fails one loop short', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
    await saveModel(folder, simulateCot(trained, shape))
    const looped = await loadModel(folder)
    await rm(folder, { recursive: true })
    const options = { samples: 100, seed: 0 }
    expect(await evaluate(looped, chains, fast, options)).toMatchObject({ accuracy: 1, plan: '5x6', loops: 6 })
    const [short] = loopedAt(LoopPlan.parse(looped.config.plan), [5])
    expect(await evaluate(looped, chains, fast, { ...options, loops: short })).toMatchObject({ accuracy: 0, loops: 5 })
  })
})

/** Digits and as many dummies; the sums are due in the dummies' own slots. */
const chains: Task = {
  name: 'running sums',
  vocabulary: [...'01234#'],
  length: 12,
  attention: 'causal',
  chance: 5 ** -6,
  shortcuts: [],
  sample({ seed, index }): Sample {
    const digits = drawDigits(task, 1, new RandomStream(seed, 'chains', index))
    const due = (before: number, after: ArrayLike<number>) => [...new Array(6).fill(before), ...Array.from(after)]
    const targets = Int32Array.from(due(-1, runningSums(digits, task)))
    return {
      tokens: Int32Array.of(...digits, 5, 5, 5, 5, 5, 5),
      targets,
      weights: Float32Array.from(due(0, [1, 1, 1, 1, 1, 1])),
    }
  },
  score: ({ targets }, predictions) => targets.every((target, i) => target < 0 || predictions[i] === target),
  parse: () => expect.unreachable(),
  format: () => expect.unreachable(),
}

const originals: (RandomSettings & { n?: number; m?: number })[] = [
  { plan: '3', positions: 'learned' },
  { plan: '2x3', positions: 'learned', bias: false },
  { plan: '1,1x2', positions: 'none', tiedHead: true },
  { plan: '1', positions: 'learned', nHeads: 1, dHead: 7, dHeadValue: 1 },
  { plan: '1', positions: 'learned', n: 1, m: 15 },
  { plan: '1', positions: 'learned', n: 15, m: 1 },
  { plan: '1', positions: 'learned', dModel: 5, nHeads: 1, vocabulary: 2, dFf: 300 },
  { plan: '2', positions: 'learned', vocabulary: 20 },
]

describe.each(originals)('the looped model of %o', ({ n = 7, m = 9, ...settings }) => {
  it('replays what the original writes', async () => {
    const model = randomOriginal({ maxLength: 16, ...settings })
    const random = new RandomStream(2, 'prompts')
    const ids = Int32Array.from({ length: 100 * n }, () => random.integer(model.config.vocabulary))
    const check = await checkSimulateCot(model, { executor: fast, prompts: ids, n, m })
    expect(check).toMatchObject({ instances: 100, exact: 100, loops: m, exactOneShort: 0, unresolved: [] })
  })
})

describe('two logits that are equal', () => {
  it('are named, and all other chains replayed', async () => {
    const values = {
      ...trained.parameters.values,
      'lm_head.weight': Float32Array.from(trained.parameters.values['lm_head.weight']),
    }
    values['lm_head.weight'].copyWithin(0, 32, 64) // token 0 has the logits of token 1
    const tied = { ...trained, parameters: { ...trained.parameters, values } }
    const check = await checkSimulateCot(tied, { executor: fast, prompts, ...shape })
    expect(check.smallestGap).toBe(0)
    expect(check.exact).toBeLessThan(200)
    const named = new Set(check.unresolved)
    const rest = prompts.filter((_, i) => !named.has(Math.floor(i / 6)))
    const others = 200 - named.size
    expect(others).toBeGreaterThan(10)
    expect(await checkSimulateCot(tied, { executor: fast, prompts: rest, ...shape })).toMatchObject({ exact: others })
  })
})

describe('bf16', () => {
  const count = 10
  const sums = runningSums(prompts, task)
  const start = Int32Array.from({ length: 12 * count }, (_, i) => {
    return i % 12 < 6 ? prompts[6 * Math.floor(i / 12) + (i % 12)] : 5
  })

  /** The largest score of any token in any slot after the first loop, which should have cleared them. */
  async function leftover(looped: Model, executor: Executor): Promise<number> {
    const scores = await readLoops(looped, executor, start, 12, (state) => slice(state, 1, 53, 5))
    return scores.reduce((most, x, i) => (i % 360 < 60 ? Math.max(most, Math.abs(x)) : most), 0)
  }

  it('is not needed: f32 clears the scores exactly', async () => {
    expect(await leftover(simulateCot(trained, shape), fast)).toBe(0)
  })

  it.each(everyBf16)('loses the chain, for the scores that a loop leaves, on $isa', async (executor) => {
    const looped = simulateCot(trained, shape)
    const latent = await latentTokens(looped, executor, start, 12)
    const right = (t: number) =>
      Array.from({ length: count }, (_, i) => latent[(i * 6 + t) * 12 + 6 + t] === sums[i * 6 + t])
    expect(right(0)).not.toContain(false)
    expect(right(5)).toContain(false)
    expect(await leftover(looped, executor)).toBeGreaterThan(100 * resolution)
  })
})

describe('simulateCot refuses', () => {
  it.each([
    [{ norm: 'layer' }, shape, 'norm is "layer": the theorem has no norms'],
    [{ activation: 'gelu' }, shape, 'activation is "gelu": the theorem is of ReLU'],
    [{ positions: 'rope' }, shape, 'positions are "rope": the looped model needs its table'],
    [{ attention: 'bidirectional' }, shape, 'attention is "bidirectional"'],
    [{}, { n: 0, m: 2 }, 'a prompt of 0 and a chain of 2 tokens'],
    [{}, { n: 2, m: 1.5 }, 'a prompt of 2 and a chain of 1.5 tokens'],
    [{}, { n: 8, m: 5 }, "8 + 5 tokens are more than the model's maxLength 12"],
  ] as const)('%o %o', (settings, chain, message) => {
    const model = randomOriginal({ plan: '1', positions: 'learned', maxLength: 12, ...settings })
    expect(() => simulateCot(model, chain)).toThrow(LatheError)
    expect(() => simulateCot(model, chain)).toThrow(`simulate-cot: ${message}`)
  })
})
