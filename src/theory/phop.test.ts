import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluate } from '../eval/index.ts'
import { chooseExecutor, type Executor, nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { loadModel, saveModel } from '../model/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask } from '../task/index.ts'
import { hops } from '../task/phop/definition.ts'
import { checkConstruction } from './check.ts'
import { lettersOf, withDummyFirst } from './construction.ts'
import { predictions } from './logits.ts'
import { type PHopSettings, pHop } from './phop.ts'
import { hopPicture } from './picture.ts'

const fast = chooseExecutor({ precision: 'f32' })
const native = nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32' }))
const everyBf16 = [
  referenceExecutor({ precision: 'bf16' }),
  ...nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'bf16' })),
]
const settings = { p: 8, n: 64, alphabet: 4 }

/** A check in which all instances are right. */
async function expectExact(given: PHopSettings, executor: Executor, instances: number): Promise<void> {
  const check = await checkConstruction(pHop(given), { executor, instances, seed: 1 })
  expect(check.exact).toBe(check.instances)
  expect(check.smallestGap).toBeGreaterThan(127)
}

/** Share of right sequences among given ones. */
async function accuracyOn(given: PHopSettings, executor: Executor, sequences: readonly Int32Array[]): Promise<number> {
  const { model, problem } = pHop(given)
  const T = given.n + 1
  const said = await predictions(model, executor, withDummyFirst(sequences, given.alphabet), T)
  const right = sequences.filter((letters, b) => {
    return problem.answers(letters).join() === said.subarray(b * T + 1, (b + 1) * T).join()
  })
  return right.length / sequences.length
}

describe('8 hops among 64 letters', () => {
  // 10,000 are for the command line: see docs/theory.md
  it('are right at every position in 1,000 random instances', async () => {
    const check = await checkConstruction(pHop(settings), { executor: fast, instances: 1000, seed: 0 })
    expect(check).toMatchObject({ instances: 1000, exact: 1000, loops: 5, smallestGap: 128 })
  })

  it.each(native)('are right on $isa', (executor) => expectExact(settings, executor, 50))
  it('are right on the reference', () => expectExact(settings, referenceExecutor(), 4))

  it('are undefined at the last letter of many instances, and defined at that of many', () => {
    const { problem } = pHop({ ...settings, n: 24 })
    const last = lettersOf(problem, 400, 0).map((letters) => problem.answers(letters).at(-1))
    const undefinedOnes = last.filter((target) => target === 4).length
    expect(undefinedOnes).toBeGreaterThan(40)
    expect(undefinedOnes).toBeLessThan(360)
  })
})

describe('any number of hops', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 13, 16, 21, 1000])('such as %i needs ⌊log2 p⌋ + 2 loops', async (p) => {
    const construction = pHop({ p, n: 40, alphabet: 3 })
    const loops = construction.plan.effectiveDepth
    expect(loops).toBe(Math.floor(Math.log2(p)) + 2)
    const options = { executor: fast, instances: 50, seed: p }
    const exactAt = async (count: number) => (await checkConstruction(construction, { ...options, loops: count })).exact
    expect([await exactAt(loops), await exactAt(loops + 3)]).toEqual([50, 50])
    // one loop short leaves out the last digit of p: right where that changes nothing
    const alike = lettersOf(construction.problem, 50, p).filter((letters) => {
      return hops(letters, p).join() === hops(letters, Math.floor(p / 2)).join()
    })
    expect(await exactAt(loops - 1)).toBe(alike.length)
    if (p < 16) expect(alike).toEqual([])
  })

  it.each([
    { p: 2, n: 12, alphabet: 2 },
    { p: 3, n: 7, alphabet: 3 },
    { p: 1, n: 2, alphabet: 26 },
  ])('is right on every sequence of %o', async (given) => {
    const check = await checkConstruction(pHop(given), { executor: fast, instances: 5000, seed: 0 })
    expect(check.instances).toBe(given.alphabet ** given.n)
    expect(check.exact).toBe(check.instances)
  })

  it.each([
    { p: 3, n: 100, alphabet: 26 },
    { p: 5, n: 127, alphabet: 5 },
    { p: 5, n: 128, alphabet: 17 },
    { p: 32, n: 256, alphabet: 4 },
  ])('is right on random sequences of %o', (given) => expectExact(given, fast, 8))

  it('is right where one letter is all there is, however often', async () => {
    const sequences = [256, 200].map((b) => Int32Array.from({ length: 256 }, (_, i) => Number(i >= b)))
    expect(await accuracyOn({ p: 6, n: 256, alphabet: 2 }, fast, sequences)).toBe(1)
  })
})

describe('bf16', () => {
  it.each(everyBf16)('is right while no letter stands 64 times, on $name $isa', async (executor) => {
    const sequences = lettersOf(pHop(settings).problem, 4, 0)
    expect(await accuracyOn(settings, executor, sequences)).toBe(1)
  })

  it.each(everyBf16)('first loses an address after 68 times, on $name $isa', async (executor) => {
    const sequence = (n: number) => Int32Array.from({ length: n }, (_, i) => Number(i === 63))
    const wrong = async (n: number) => 1 - (await accuracyOn({ p: 2, n, alphabet: 2 }, executor, [sequence(n)]))
    expect([await wrong(68), await wrong(69)]).toEqual([0, 1])
  })
})

describe('the sizes', () => {
  it('are three heads, widths that grow with log n, and two units a count', () => {
    const { sizes } = pHop(settings)
    expect(sizes).toMatchObject({ loops: { published: 5, built: 5 }, nHeads: { built: 3 }, vocabulary: { built: 5 } })
    const built = (n: number) => pHop({ ...settings, n }).model.config
    const [small, double, large] = [built(63), built(127), built(255)]
    expect([double.dModel - small.dModel, large.dModel - double.dModel]).toEqual([11, 11])
    expect([double.dHead - small.dHead, large.dHead - double.dHead]).toEqual([2, 2])
    expect([double.dFf - small.dFf - 128, large.dFf - double.dFf - 256]).toEqual([22, 22])
  })
})

describe('the built model', () => {
  it('saves, loads and is evaluated on the task that models are trained on', async () => {
    const construction = pHop(settings)
    const folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
    await saveModel(folder, construction.model)
    const model = await loadModel(folder)
    await rm(folder, { recursive: true })
    const evaluation = await evaluate(model, createTask(construction.task), fast, { samples: 100, seed: 5 })
    expect(evaluation).toMatchObject({ accuracy: 1, samples: 100, plan: '1x5', tokens: 100 * 65 })
  })

  it('draws how its pointers double', async () => {
    const given = { p: 5, n: 32, alphabet: 3 }
    const construction = pHop(given)
    const picture = await hopPicture(given, construction, { executor: fast, seed: 4 })
    const [letters] = lettersOf(construction.problem, 1, 4)
    const said = [0, 1, 2, 5].map((p) => 'abc#'.at(hops(letters, p).at(-1)!))
    const lines = picture.split('\n')
    expect(lines.slice(1).map((line) => lines[0][line.indexOf('^')])).toEqual(said)
    expect(lines.slice(1).map((line) => line.split(' ^')[0].trim())).toEqual(
      [0, 1, 2, 5].map((p, i) => `loop ${i + 1}, hop ${p}`),
    )
  })
})

describe('pHop refuses', () => {
  it.each([
    [{ p: 0 }, 'p is 0: it is a whole number from 1 to 2147483647'],
    [{ p: 1.5 }, 'p is 1.5: it is'],
    [{ n: 1 }, 'n is 1: it is a whole number from 2 to 1024'],
    [{ n: 1025 }, 'n is 1025: it is'],
    [{ alphabet: 1 }, 'alphabet is 1: it is a whole number from 2 to 26'],
    [{ alphabet: 27 }, 'alphabet is 27: it is'],
  ])('%o', (change, message) => {
    expect(() => pHop({ ...settings, ...change })).toThrow(LatheError)
    expect(() => pHop({ ...settings, ...change })).toThrow(`p-hop: ${message}`)
  })
})
