import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerSamples, drawSamples, Evaluator, evaluate } from '../eval/index.ts'
import { chooseExecutor } from '../executor/index.ts'
import { initialParameters } from '../model/index.ts'
import { asPlanned, LoopPlan } from '../plan/index.ts'
import { defineRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { namedGroup } from '../task/group/definition.ts'
import { createTask } from '../task/index.ts'
import { openModel, recipeModel, train } from '../train/index.ts'
import { greedyChains } from './check-cot.ts'
import { groupComposition } from './group-composition.ts'
import { pHop } from './phop.ts'
import { saveAsRun } from './save-run.ts'
import { simulateCot } from './simulate-cot.ts'
import { simulateDepth } from './simulate-depth.ts'

const executor = chooseExecutor({ precision: 'f32' })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-saved-'))
})
afterAll(() => rm(folder, { recursive: true }))

const group = groupComposition(namedGroup('S3'), 5)
const table = groupComposition({ ...namedGroup('Z3'), setting: namedGroup('Z3').table }, 6)
const hops = pHop({ p: 3, n: 20, alphabet: 3 })

describe('a construction that was saved', () => {
  it.each([
    ['group', group],
    ['table', table],
    ['hops', hops],
  ])('is a run that answers every held-out sample: %s', async (name, { model, task }) => {
    const path = join(folder, name)
    await saveAsRun(path, { name, title: name, model, task }, executor)
    expect((await readdir(path)).sort()).toEqual(['checkpoints', 'env.json', 'recipe.json'])
    const saved = await openModel(path)
    expect(saved.model.config).toEqual(model.config)
    expect(saved.model.parameters.values).toEqual(model.parameters.values)
    const options = { samples: 60, seed: 3, split: 'test' } as const
    expect(await evaluate(saved.model, saved.task, executor, options)).toMatchObject({ accuracy: 1, samples: 60 })
    const samples = await drawSamples(saved.task, options)
    const answers = await answerSamples(saved.model, saved.task, executor, samples)
    for (const { right, generated, target } of answers) expect([right, generated]).toEqual([true, target])
  })

  it('can be trained on', async () => {
    const path = join(folder, 'further')
    const run = await saveAsRun(path, { name: 'further', title: '', model: group.model, task: group.task }, executor)
    expect(await train(run, { executor })).toMatchObject({ stopped: 'finished', steps: 1 })
  })
})

describe('what is made from a run of written answers', () => {
  const of = { name: 'igsm', minNodes: 4, maxNodes: 5, letters: 8, modulus: 5, maxLength: 80 }
  const widths = { plan: '1', dModel: 8, nHeads: 2, norm: 'none', activation: 'relu', positions: 'learned' } as const
  const recipe = defineRecipe({ name: 'small', task: of, model: widths, steps: 1 })
  const config = recipeModel(recipe, createTask(of))
  const original = { config, parameters: initialParameters(config, 0) }

  it('writes behind a dummy what the original writes', async () => {
    const path = join(folder, 'depth')
    const built = { model: simulateDepth(original), task: { name: 'dummy-first', of } }
    await saveAsRun(path, { name: 'depth', title: '', ...built }, executor)
    const { model, task } = await openModel(path)
    const options = { samples: 10, seed: 0 }
    const written = async (of: typeof original, about: typeof task) =>
      answerSamples(of, about, executor, await drawSamples(about, options), { maxTokens: 20 })
    const [got, wanted] = [await written(model, task), await written(original, createTask(of))]
    expect(got.map(({ generated }) => generated)).toEqual(wanted.map(({ generated }) => generated))
  })

  it('fills slots with what the original writes', async () => {
    const path = join(folder, 'cot')
    const [prompt, slots] = [54, 25]
    const built = { model: simulateCot(original, { n: prompt, m: slots }), task: { name: 'slots', of, prompt, slots } }
    await saveAsRun(path, { name: 'cot', title: '', ...built }, executor)
    const { model, task } = await openModel(path)
    const samples = await drawSamples(task, { samples: 3, seed: 0 })
    const evaluator = new Evaluator(executor, model.config, task, asPlanned(LoopPlan.parse(model.config.plan)))
    const predicted = await evaluator.predict(model.parameters, samples)
    const prompts = Int32Array.from(samples.flatMap(({ tokens }) => [...tokens.subarray(0, prompt)]))
    const { tokens } = await greedyChains(original, executor, prompts, { n: prompt, m: slots })
    expect(predicted.flatMap((all) => [...all.subarray(prompt)])).toEqual([...tokens])
  })
})

describe('saving refuses', () => {
  const save = (path: string, task = group.task) =>
    saveAsRun(path, { name: 'x', title: '', model: group.model, task }, executor)

  it('a folder that holds something', async () => {
    await writeFile(join(folder, 'note'), '')
    await expect(save(folder)).rejects.toThrow(LatheError)
    await expect(save(folder)).rejects.toThrow('holds files already')
  })

  it('a place where no folder can be', async () => {
    await expect(save('/dev/null/x')).rejects.toThrow('/dev/null/x: cannot make a folder there')
  })

  it('a task that refuses its settings, and leaves nothing behind', async () => {
    const path = join(folder, 'none')
    const { task } = pHop({ p: 8, n: 12, alphabet: 3 })
    await expect(save(path, task)).rejects.toThrow('task phop: n = 12 is too short for p = 8')
    expect(await readdir(folder)).not.toContain('none')
  })
})
