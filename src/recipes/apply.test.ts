import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { applySettings } from './apply.ts'
import { phopQuickstart } from './phop.ts'
import { resolveRecipe } from './recipe.ts'

const recipe = phopQuickstart()

describe('applySettings', () => {
  it('changes settings at any depth and leaves the recipe that it was given', () => {
    const changed = applySettings(recipe, [
      'model.plan=12',
      'steps=200',
      'optimizer.lr=3e-4',
      'model.bias=true',
      'evaluate.loops=[1,2]',
      'task.n=64',
      'task.loss=last',
      'description=a = b',
      'seed=1',
      'seed=2',
    ])
    expect(changed).toEqual({
      ...recipe,
      description: 'a = b',
      model: { ...recipe.model, plan: '12', bias: true },
      steps: 200,
      optimizer: { ...recipe.optimizer, lr: 3e-4 },
      evaluate: { ...recipe.evaluate, loops: [1, 2] },
      task: { name: 'phop', n: 64, p: 3, loss: 'last' },
      seed: 2,
    })
    expect(recipe).toEqual(phopQuickstart())
    expect(applySettings(recipe, [])).toEqual(recipe)
  })

  it('lets what follows from a setting follow it', () => {
    expect(resolveRecipe(applySettings(recipe, ['steps=200', 'model.dModel=64']))).toMatchObject({
      model: { dHead: 16 },
      schedule: { warmup: 4 },
    })
  })

  it('takes over to another optimizer or schedule what both know', () => {
    const changed = applySettings(recipe, ['optimizer.lr=0.5', 'optimizer.name=adafactor', 'schedule.name=one-cycle'])
    expect(changed.optimizer).toMatchObject({ name: 'adafactor', lr: 0.5, decay: 0.8 })
    expect(changed.optimizer).not.toHaveProperty('beta1')
    expect(changed.schedule).toEqual({ name: 'one-cycle', pctStart: 0.3, div: 25, finalDiv: 1e4 })
    expect(applySettings(changed, ['schedule.name=linear', 'schedule.final=0.1']).schedule).toEqual({
      name: 'linear',
      final: 0.1,
    })
  })

  it('leaves the learning rate of one optimizer behind with it', () => {
    const at = (...settings: string[]) => applySettings(recipe, ['optimizer.lr=0.5', ...settings])
    expect(applySettings(at(), ['optimizer.name=muon']).optimizer).toMatchObject({ name: 'muon', lr: 0.02 })
    expect(applySettings(at(), ['optimizer.name=adamw']).optimizer).toMatchObject({ name: 'adamw', lr: 0.5 })
    expect(at('optimizer.name=muon').optimizer).toMatchObject({ name: 'muon', lr: 0.5 })
  })

  it('takes over to another task what both know', () => {
    const changed = applySettings(recipe, ['task.n=20', 'task.hops=4', 'task.name=sanford'])
    expect(changed.task).toEqual({ name: 'sanford', n: 20, hops: 4 })
    expect(() => applySettings(recipe, ['task.name=phob'])).toThrow('no task is called "phob": did you mean phop?')
  })

  it.each([
    ['steps', 'write "steps" as key=value, such as steps=200'],
    ['=3', 'write "=3" as key=value, such as steps=200'],
    ['step=3', 'there is no setting step: did you mean steps?'],
    ['model.dmodel=64', 'there is no setting model.dmodel: did you mean model.dModel?'],
    ['optimizer.betta1=0.5', 'there is no setting optimizer.betta1: did you mean optimizer.beta1?'],
    ['dModel=64', 'there is no setting dModel: did you mean model.dModel?'],
    ['modl.dModel=64', 'there is no setting modl: did you mean model?'],
    ['optimizer.decay=0.5', 'there is no setting optimizer.decay: there are name, lr, beta1, beta2, eps, weightDecay'],
    ['optimizer.name=sgd', 'optimizer.name must be "adamw", "adafactor" or "muon", got "sgd"'],
    ['steps.many=3', 'steps must be a positive integer, got {"many":3}'],
    ['steps=', 'steps must be a positive integer, got ""'],
    ['steps=1e3x', 'steps must be a positive integer, got "1e3x"'],
    ['steps=-5', 'steps must be a positive integer, got -5'],
    ['model.nHeads=3', 'model.dModel 128 is not divisible by model.nHeads 3: set model.dHead'],
    [
      '__proto__.steps=3',
      'there is no setting __proto__: there are name, description, task, model, steps, batch, accumulation, groups, optimizer, schedule, clip, seed, evaluate, checkpoint, precision, executor, recompute, threads',
    ],
    [
      'constructor=3',
      'there is no setting constructor: there are name, description, task, model, steps, batch, accumulation, groups, optimizer, schedule, clip, seed, evaluate, checkpoint, precision, executor, recompute, threads',
    ],
    ['task.name.x=3', 'task.name must be a text, got {"x":3}'],
  ])('refuses %s', (setting, message) => {
    expect(() => applySettings(recipe, [setting])).toThrow(new LatheError(`recipe phop-quickstart: ${message}`))
    expect(({} as { steps?: unknown }).steps).toBeUndefined()
  })

  it('passes on what a plan says about itself', () => {
    expect(() => applySettings(recipe, ['model.plan=4x'])).toThrow(
      /^recipe phop-quickstart: model\.plan: plan "4x"[^\n]*$/,
    )
  })
})
