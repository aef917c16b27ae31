import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { defineRecipe, type RecipeInput, recipeSettings, resolveRecipe } from './recipe.ts'

const smallest: RecipeInput = {
  name: 'tiny',
  task: { name: 'phop', n: 16, p: 2 },
  model: { plan: '1x3', dModel: 32, nHeads: 4 },
  steps: 100,
}

describe('defineRecipe', () => {
  it('fills every default and leaves the settings of the task alone', () => {
    expect(defineRecipe(smallest)).toEqual({
      name: 'tiny',
      description: '',
      task: { name: 'phop', n: 16, p: 2 },
      model: {
        plan: '1x3',
        dModel: 32,
        nHeads: 4,
        norm: 'rms',
        normEps: 1e-5,
        activation: 'gelu',
        positions: 'rope',
        ropeBase: 10_000,
        bias: false,
        finalNorm: true,
        tiedHead: false,
      },
      steps: 100,
      batch: 64,
      accumulation: 1,
      optimizer: { name: 'adamw', lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 },
      schedule: { name: 'cosine', final: 0 },
      clip: 1,
      seed: 0,
      evaluate: { every: 250, samples: 1024 },
      checkpoint: { every: 500, keep: 3, failure: 'stop' },
      precision: 'auto',
      recompute: 'auto',
      executor: 'auto',
    })
  })

  it('fills the defaults of the alternatives that were chosen', () => {
    const recipe = defineRecipe({ ...smallest, optimizer: { name: 'adafactor' }, schedule: { name: 'one-cycle' } })
    expect(recipe.optimizer).toEqual({
      name: 'adafactor',
      lr: 1e-3,
      decay: 0.8,
      clipThreshold: 1,
      eps1: 1e-30,
      weightDecay: 0,
    })
    expect(recipe.schedule).toEqual({ name: 'one-cycle', pctStart: 0.3, div: 25, finalDiv: 1e4 })
  })

  it('gives a checked recipe back as it is, also through JSON', () => {
    const recipe = defineRecipe(smallest)
    expect(defineRecipe(recipe)).toEqual(recipe)
    expect(defineRecipe(JSON.parse(JSON.stringify(resolveRecipe(recipe))))).toEqual(resolveRecipe(recipe))
  })

  const model = smallest.model
  it.each<[string, unknown]>([
    ['recipe tiny: model.dModel must be a positive integer, got -3', { ...smallest, model: { ...model, dModel: -3 } }],
    ['recipe tiny: steps must be a positive integer, got "many"', { ...smallest, steps: 'many' }],
    ['recipe tiny: steps must be a positive integer, got NaN', { ...smallest, steps: Number.NaN }],
    ['recipe tiny: steps is missing: it must be a positive integer', { ...smallest, steps: undefined }],
    ['recipe tiny: seed must be an integer from 0, got -1', { ...smallest, seed: -1 }],
    ['recipe tiny: clip must be a number from 0, got -0.5', { ...smallest, clip: -0.5 }],
    ['recipe tiny: there is no setting stepz: did you mean steps?', { ...smallest, stepz: 1 }],
    [
      'recipe tiny: there is no setting somethingElse: there are name, description, task, model, steps, batch, accumulation, groups, optimizer, schedule, clip, seed, evaluate, checkpoint, precision, executor, recompute, threads',
      { ...smallest, somethingElse: 1 },
    ],
    [
      'recipe tiny: there is no setting __proto__: there are name, description, task, model, steps, batch, accumulation, groups, optimizer, schedule, clip, seed, evaluate, checkpoint, precision, executor, recompute, threads',
      JSON.parse(JSON.stringify(smallest).replace('{', '{"__proto__":1,')),
    ],
    [
      'recipe tiny: there is no setting constructor: there are name, description, task, model, steps, batch, accumulation, groups, optimizer, schedule, clip, seed, evaluate, checkpoint, precision, executor, recompute, threads',
      { ...smallest, constructor: 1 },
    ],
    [
      'recipe tiny: there is no setting model.dmodel: did you mean model.dModel?',
      { ...smallest, model: { plan: '1', dmodel: 32, nHeads: 4 } },
    ],
    [
      'recipe tiny: there is no setting optimizer.weightdecay: did you mean optimizer.weightDecay?',
      { ...smallest, optimizer: { name: 'adamw', weightdecay: 0 } },
    ],
    [
      'recipe tiny: there is no setting optimizer.decay: there are name, lr, beta1, beta2, eps, weightDecay',
      { ...smallest, optimizer: { name: 'adamw', decay: 0.8 } },
    ],
    [
      'recipe tiny: optimizer.name must be "adamw", "adafactor" or "muon", got "adam"',
      { ...smallest, optimizer: { name: 'adam' } },
    ],
    ['recipe tiny: optimizer must be an object, got "adamw"', { ...smallest, optimizer: 'adamw' }],
    ['recipe tiny: model must be an object, got "1x3"', { ...smallest, model: '1x3' }],
    ['recipe tiny: model is missing: it must be an object', { ...smallest, model: undefined }],
    ['recipe tiny: task.name is missing: it must be a text', { ...smallest, task: {} }],
    ['recipe tiny: optimizer.beta1 must be below 1, got 1', { ...smallest, optimizer: { name: 'adamw', beta1: 1 } }],
    [
      'recipe tiny: evaluate.loops must be a list of loop counts such as [1,2,4], got []',
      { ...smallest, evaluate: { loops: [] } },
    ],
    ['recipe tiny: evaluate.loops.1 must be a positive integer, got 0', { ...smallest, evaluate: { loops: [1, 0] } }],
    ['recipe tiny: evaluate.target must be a number from 0 to 1, got 95', { ...smallest, evaluate: { target: 95 } }],
    ['recipe tiny: precision must be "auto", "bf16" or "f32", got "fp16"', { ...smallest, precision: 'fp16' }],
    ...['some', 0, 1.5, true].map((recompute): [string, unknown] => [
      `recipe tiny: recompute must be "auto", "none" or a number of loops, got ${JSON.stringify(recompute)}`,
      { ...smallest, recompute },
    ]),
    [
      'recipe ../tiny: name must be a name of letters, digits, dots and dashes, got "../tiny"',
      { ...smallest, name: '../tiny' },
    ],
    [
      'recipe: name is missing: it must be a name of letters, digits, dots and dashes',
      { ...smallest, name: undefined },
    ],
    ['recipe: it must be an object, got 3', 3],
    ['recipe: it must be an object, got null', null],
    ['recipe tiny: accumulation 3 does not divide batch 64', { ...smallest, accumulation: 3 }],
    [
      'recipe tiny: schedule.warmup 200 is longer than the 100 steps',
      { ...smallest, schedule: { name: 'cosine', warmup: 200 } },
    ],
    [
      'recipe tiny: model.dModel 32 is not divisible by model.nHeads 5: set model.dHead',
      { ...smallest, model: { ...model, nHeads: 5 } },
    ],
    [
      'recipe tiny: model.plan must be a loop plan such as "1x4", got 12',
      { ...smallest, model: { ...model, plan: 12 } },
    ],
  ])('refuses: %s', (message, input) => {
    expect(() => defineRecipe(input as RecipeInput)).toThrow(new LatheError(message))
  })

  it('passes on what a plan says about itself', () => {
    expect(() => defineRecipe({ ...smallest, model: { ...model, plan: '0x3' } })).toThrow(
      /^recipe tiny: model\.plan: plan "0x3"[^\n]*$/,
    )
  })
})

describe('resolveRecipe', () => {
  it('fills what follows from other settings, and keeps what was given', () => {
    const { model, schedule } = resolveRecipe(defineRecipe(smallest))
    expect(model).toMatchObject({ dHead: 8, dHeadValue: 8, dFf: 128, attentionScale: 1 / Math.sqrt(8) })
    expect(schedule).toEqual({ name: 'cosine', warmup: 2, final: 0 })
    const given = defineRecipe({
      ...smallest,
      model: { ...smallest.model, dHead: 6, dFf: 10 },
      schedule: { name: 'linear', warmup: 0 },
    })
    expect(resolveRecipe(given)).toMatchObject({ model: { dHead: 6, dHeadValue: 6, dFf: 10 }, schedule: { warmup: 0 } })
    expect(resolveRecipe(defineRecipe({ ...smallest, schedule: { name: 'one-cycle' } })).schedule).not.toHaveProperty(
      'warmup',
    )
  })
})

describe('recipeSettings', () => {
  const settings = recipeSettings(defineRecipe({ ...smallest, task: { name: 'phop', n: 16 } }))
  const find = (path: string) => settings.find((setting) => setting.path === path)

  it('describes every setting, the task’s own beside its name', () => {
    expect(settings.filter(({ description }) => description === '')).toEqual([])
    const paths = settings.map(({ path }) => path)
    expect(new Set(paths).size).toBe(paths.length)
    expect(paths).toEqual(expect.arrayContaining(['name', 'model.plan', 'task.p', 'evaluate.loops', 'threads']))
    expect(paths.indexOf('task.n')).toBe(paths.indexOf('task.name') + 1)
  })

  it('has the values that hold: given, by default, derived, or left to the machine', () => {
    expect([find('task.n'), find('task.loss'), find('optimizer.beta1')].map((s) => s?.value)).toEqual([16, 'last', 0.9])
    expect([find('model.dFf'), find('schedule.warmup')].map((s) => s?.value)).toEqual([128, 2])
    expect(find('threads')?.value).toBeUndefined()
    expect(find('schedule.pctStart')).toBeUndefined() // of another schedule
  })

  it('of a task that does not exist are refused', () => {
    expect(() => recipeSettings(defineRecipe({ ...smallest, task: { name: 'hop' } }))).toThrow(LatheError)
  })
})
