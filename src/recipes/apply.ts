import { z } from 'zod'
import { LatheError } from '../settings/error.ts'
import { listSettings } from '../settings/settings.ts'
import { findTask } from '../task/index.ts'
import { defineRecipe, type Recipe, type RecipeInput, recipeSchema, type Tree } from './recipe.ts'

/**
 * The recipe with settings such as `model.plan=1x8`, `evaluate.loops=[1,2]` or `task.n=64` changed, names first, else in
 * their order. A value is JSON where it can be, else a text. Another optimizer, schedule or task takes over the
 * settings that it shares, but for the learning rate: another optimizer has another.
 * Throws a one-line LatheError for a setting that does not exist (with the nearest) and for all that defineRecipe finds.
 *
 * @example
 * applySettings(recipe, ['model.plan=1x8', 'optimizer.name=adafactor', 'steps=200'])
 */
export function applySettings(recipe: Recipe, settings: readonly string[]): Recipe {
  const namesFirst = [...settings].sort((a, b) => Number(isName(b)) - Number(isName(a)))
  const changed = namesFirst.reduce<Tree>((tree, setting) => apply(tree, setting, recipe.name), recipe)
  return defineRecipe(changed as RecipeInput)
}

const isName = (setting: string) => /^(task|optimizer|schedule)\.name=/.test(setting)

function apply(tree: Tree, setting: string, name: string): Tree {
  const equals = setting.indexOf('=')
  if (equals < 1)
    throw new LatheError(`recipe ${name}: write ${JSON.stringify(setting)} as key=value, such as steps=200`)
  const path = setting.slice(0, equals)
  const isText = listSettings(recipeSchema, tree).some((known) => known.path === path && known.isText)
  const typed = setting.slice(equals + 1)
  const next = put(tree, path.split('.'), isText ? typed : parseValue(typed))
  if (path === 'schedule.name') return keepShared(next, 'schedule', recipeSchema)
  if (path === 'task.name') return keepShared(next, 'task', z.object({ task: findTask(typed).settings }))
  if (path !== 'optimizer.name' || (tree.optimizer as Tree).name === typed) return next
  const { lr: _, ...optimizer } = next.optimizer as Tree
  return keepShared({ ...next, optimizer }, 'optimizer', recipeSchema)
}

function parseValue(typed: string): unknown {
  try {
    return JSON.parse(typed)
  } catch {
    return typed
  }
}

function put(tree: unknown, [key, ...rest]: readonly string[], value: unknown): Tree {
  const object = typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? (tree as Tree) : {}
  const inner = Object.hasOwn(object, key) ? object[key] : undefined
  return { ...object, [key]: rest.length === 0 ? value : put(inner, rest, value) }
}

/** Drops from `tree[part]` what its newly chosen alternative does not know. */
function keepShared(tree: Tree, part: string, schema: z.ZodType): Tree {
  const known = new Set(listSettings(schema, tree).map(({ path }) => path)).add(`${part}.name`)
  const fields = Object.entries(tree[part] as Tree).filter(([key]) => known.has(`${part}.${key}`))
  return { ...tree, [part]: Object.fromEntries(fields) }
}
