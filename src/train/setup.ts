import { type ModelConfig, modelConfig } from '../model/config.ts'
import { adafactor, adamw, muon, type Optimizer } from '../optim/index.ts'
import { asPlanned, type Looping, LoopPlan, loopedAt, usualLoops } from '../plan/index.ts'
import type { Recipe } from '../recipes/index.ts'
import { createTask, type Task } from '../task/index.ts'

/** What a recipe comes to. */
export interface Setup {
  readonly task: Task
  readonly config: ModelConfig
  /** Where it evaluates. */
  readonly loops: readonly Looping[]
}

/**
 * Makes the task and the model's settings of a recipe: call it before anything is written for a run.
 * Throws a LatheError for an unknown task, and for settings that task, plan or model refuse.
 */
export function setUp(recipe: Recipe): Setup {
  const task = createTask(recipe.task)
  return { task, config: recipeModel(recipe, task), loops: recipeLoops(recipe) }
}

/** The same for a training, which needs samples: throws a LatheError for a split that the task leaves empty, too. */
export function setUpTraining(recipe: Recipe): Setup {
  const setup = setUp(recipe)
  for (const split of ['train', 'validation', 'test'] as const)
    setup.task.sample({ seed: recipe.seed, split, index: 0 })
  return setup
}

/** The model that a recipe trains on its task. Throws a LatheError for settings that contradict each other. */
export function recipeModel(recipe: Recipe, task: Task): ModelConfig {
  const { attention, vocabulary, length } = task
  const settings = { ...recipe.model, attention, vocabulary: vocabulary.length, maxLength: length }
  return modelConfig(settings, `recipe ${recipe.name}: model`)
}

/**
 * Where a recipe evaluates: at its own loop counts or the usual ones, and the trained one; as it is, where it has no
 * looped segment or several.
 */
export function recipeLoops({ model, evaluate }: Recipe): Looping[] {
  const plan = LoopPlan.parse(model.plan)
  const looped = plan.segments.filter(({ loops }) => loops > 1)
  if (looped.length !== 1 || evaluate.loops === undefined) return usualLoops(plan)
  const counts = new Set([...evaluate.loops, asPlanned(plan).loops])
  return loopedAt(
    plan,
    [...counts].sort((a, b) => a - b),
  )
}

export function recipeOptimizer({ optimizer }: Recipe): Optimizer {
  if (optimizer.name === 'adamw') return adamw(optimizer)
  if (optimizer.name === 'adafactor') return adafactor(optimizer)
  const { lr, others } = optimizer
  return muon({ ...optimizer, others: { ...others, lrRatio: others.lr / lr } })
}
