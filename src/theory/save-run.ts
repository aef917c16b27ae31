import type { Executor } from '../executor/executor.ts'
import type { Model } from '../model/model-folder.ts'
import { OptimizerRunner } from '../optim/index.ts'
import { defineRecipe } from '../recipes/index.ts'
import type { TaskSettings } from '../task/index.ts'
import type { Machine } from '../train/environment.ts'
import { createRun, type Run, recipeHash, recipeOptimizer, saveCheckpoint, setUp } from '../train/index.ts'

/** A model that was built, and what it solves. */
export interface Built {
  /** Begins the name of the recipe. */
  readonly name: string
  readonly title: string
  readonly model: Model
  readonly task: TaskSettings
}

/**
 * Writes a run that has been trained for 0 of 1 updates: so a model that was written down is evaluated, asked, looked at
 * and trained on like one that was learned. Its precision is f32, which the constructions are made for.
 * Throws a LatheError where the folder holds something already or cannot be written, and for settings that the task
 * refuses; then nothing is left behind.
 */
export async function saveAsRun(path: string, { name, title, model, task }: Built, executor: Executor): Promise<Run> {
  const { attention: _, vocabulary: __, maxLength: ___, ...settings } = model.config
  const recipe = defineRecipe({ name, description: title, task, model: settings, steps: 1, precision: 'f32' })
  setUp(recipe)
  const { name: kind, isa, precision, threads } = executor
  const machine: Machine = { executor: kind, isa, precision, threads }
  const run = await createRun(recipe, machine, { path })
  const { shapes, values } = model.parameters
  const parameters = new Map(Object.entries(values).map(([name, data]) => [name, { shape: shapes[name], data }]))
  const optimizer = new OptimizerRunner(executor, recipeOptimizer(recipe), shapes).exportStates()
  const { seed } = recipe
  const state = { seed, cursor: 0, stage: 0, recipe: recipeHash(run.recipe), tokens: 0, flops: 0, best: null }
  await saveCheckpoint(run, { step: 0, parameters, optimizer, state, config: model.config })
  return run
}
