import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluate, loopSweep } from '../eval/index.ts'
import { chooseExecutor, type Executor, nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { loadModel, saveModel } from '../model/index.ts'
import { loopedAt } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { compose, namedGroup } from '../task/group/definition.ts'
import { createTask } from '../task/index.ts'
import { checkConstruction } from './check.ts'
import { type Construction, lettersOf } from './construction.ts'
import { groupComposition } from './group-composition.ts'
import { groupPicture } from './picture.ts'

const fast = chooseExecutor({ precision: 'f32' })
const native = nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32' }))
const everyBf16 = [
  referenceExecutor({ precision: 'bf16' }),
  ...nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'bf16' })),
]
const S4 = namedGroup('S4')
const ofS4 = groupComposition(S4, 16)

/** A check in which all instances are right. */
async function expectExact(construction: Construction, executor: Executor, instances: number): Promise<void> {
  const check = await checkConstruction(construction, { executor, instances, seed: 7 })
  expect(check.exact).toBe(check.instances)
  expect(check.smallestGap).toBeGreaterThanOrEqual(128)
}

describe('16 elements of S4', () => {
  it('are composed in 10,000 random instances', async () => {
    const check = await checkConstruction(ofS4, { executor: fast, instances: 10_000, seed: 0 })
    expect(check).toMatchObject({ instances: 10_000, exact: 10_000, loops: 4, smallestGap: 128 })
  })

  it.each(native)('are composed on $isa', (executor) => expectExact(ofS4, executor, 500))
  it('are composed on the reference', () => expectExact(ofS4, referenceExecutor(), 20))

  it.each(everyBf16)('are composed in bf16 on $name $isa: all numbers are small and whole', (executor) =>
    expectExact(ofS4, executor, 10),
  )

  it('need the last loop unless what it takes in is the identity', async () => {
    const options = { executor: fast, instances: 2000, seed: 1 }
    const { exact } = await checkConstruction(ofS4, { ...options, loops: 3 })
    const trivial = lettersOf(ofS4.problem, 2000, 1).filter((letters) => {
      return compose(S4, letters.subarray(0, 8)) === S4.identity
    })
    expect(exact).toBe(trivial.length)
    expect(exact).toBeLessThan(200)
    expect((await checkConstruction(ofS4, { ...options, loops: 6 })).exact).toBe(2000)
  })
})

describe('every instance', () => {
  it.each([
    ['Z2', 2],
    ['Z2', 3],
    ['Z2', 8],
    ['S3', 4],
    ['D4', 3],
    ['A5', 2],
  ])('of %s with %i elements is right', async (name, n) => {
    const group = namedGroup(name)
    const construction = groupComposition(group, n)
    const check = await checkConstruction(construction, { executor: fast, instances: 10_000, seed: 0 })
    const count = group.elements.length ** n
    expect(check).toMatchObject({ instances: count, exact: count })
    const distinct = new Set(lettersOf(construction.problem, 10_000, 0).map((letters) => letters.join()))
    expect(distinct.size).toBe(count)
  })

  it('tells left from right', () => {
    const { problem } = groupComposition(S4, 2)
    const [a, b] = ['2134', '1324'].map((text) => S4.elements.indexOf(text))
    expect(problem.answers(Int32Array.of(a, b))).not.toEqual(problem.answers(Int32Array.of(b, a)))
  })
})

describe('random instances', () => {
  it.each([
    ['S5', 5],
    ['A5', 9],
    ['Z120', 16],
    ['D60', 7],
    ['S4', 31],
    ['S4', 32],
    ['S4', 33],
    ['D3', 63],
    ['Z5', 64],
  ])('of %s with %i elements are right', (name, n) => expectExact(groupComposition(namedGroup(name), n), fast, 100))
})

describe('the sizes', () => {
  it.each([
    ['S4', 16],
    ['S5', 64],
    ['Z2', 2],
    ['D3', 5],
    ['A5', 7],
  ])('of %s with %i elements are the published ones', (name, n) => {
    const group = namedGroup(name)
    const { sizes, model, plan, vocabulary } = groupComposition(group, n)
    const order = group.elements.length
    const [L, T] = [Math.ceil(Math.log2(order)), Math.ceil(Math.log2(n))]
    const published = {
      dModel: 3 * (L + Math.ceil(Math.log2(n + 1))),
      dFf: order ** 2 + 6 * L,
      dHead: T,
      nHeads: 2,
      vocabulary: order + 1,
    }
    expect(model.config).toMatchObject({ ...published, plan: T === 1 ? '1' : `1x${T}` })
    expect(plan.effectiveDepth).toBe(T)
    expect(vocabulary.length).toBe(order + 1)
    for (const size of Object.values(sizes))
      if (size.published !== 'not stated') expect(size.built).toBe(size.published)
  })
})

describe('the built model', () => {
  it('saves, loads and is evaluated like any other', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
    await saveModel(folder, ofS4.model)
    const model = await loadModel(folder)
    await rm(folder, { recursive: true })
    const task = createTask(ofS4.task)
    const options = { samples: 100, seed: 3, split: 'test' } as const
    expect(await evaluate(model, task, fast, options)).toMatchObject({ accuracy: 1, samples: 100, loops: 4 })
    const [{ accuracy }] = await loopSweep(model, task, fast, { ...options, loops: loopedAt(ofS4.plan, [3]) })
    expect(accuracy).toBeLessThan(0.2)
  })

  it('draws its tree', async () => {
    const picture = await groupPicture(groupComposition(namedGroup('Z10'), 5), { executor: fast, seed: 0 })
    const [given, , , last] = picture.split('\n')
    const sum = given.match(/\d+/g)!.reduce((total, x) => total + Number(x), 0)
    expect(last.at(-1)).toBe(String(sum % 10))
    expect(picture.replace(/(?<!loop )\d/g, 'x').split('\n')).toEqual([
      'given    x x x x x',
      'loop 1   x└──x└──x',
      'loop 2   x  └────x',
      'loop 3  └────────x',
    ])
  })
})

it.each([0, 1, 2.5, 65, Number.NaN])('%d elements are refused', (n) => {
  expect(() => groupComposition(S4, n)).toThrow(LatheError)
  expect(() => groupComposition(S4, n)).toThrow(
    `group composition of n = ${n} elements: n is a whole number from 2 to 64`,
  )
})
