import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readJsonFile } from '../files/json-file.ts'
import { LatheError } from '../settings/error.ts'
import { nearest } from '../settings/nearest.ts'
import { additionLaptop, additionPaper } from './addition.ts'
import { igsmLaptop, igsmPaper, igsmTheory } from './igsm.ts'
import { phopLaptop, phopPaper, phopQuickstart, phopTiny } from './phop.ts'
import { primitive, primitiveNames } from './primitives.ts'
import { defineRecipe, type Recipe, type RecipeInput } from './recipe.ts'
import { sanfordLaptop, sanfordPaper } from './sanford.ts'

/** The recipes that come with Lathe, by name. */
export const recipes: ReadonlyMap<string, () => Recipe> = new Map([
  ['phop-quickstart', phopQuickstart],
  ['phop-tiny', phopTiny],
  ['phop-laptop-4', () => phopLaptop(4)],
  ['phop-laptop-8', () => phopLaptop(8)],
  ['phop-16', () => phopPaper(16)],
  ['phop-32', () => phopPaper(32)],
  ['addition', additionPaper],
  ['addition-laptop', additionLaptop],
  ['sanford', sanfordPaper],
  ['sanford-laptop', sanfordLaptop],
  ['igsm', igsmPaper],
  ['igsm-laptop', igsmLaptop],
  ['igsm-theory', igsmTheory],
  ...primitiveNames.map((name) => [`primitives-${name}`, () => primitive(name)] as const),
])

const extensions = ['.ts', '.js', '.json']

/**
 * The recipe of that name, or of a file: `.ts` or `.js` whose default export is a recipe or a function that returns
 * one, or `.json`. TypeScript needs a loader such as tsx, which the command line brings.
 * Throws a one-line LatheError for an unknown name (with the nearest) and for a file that holds no recipe.
 */
export async function loadRecipe(nameOrPath: string): Promise<Recipe> {
  const builtIn = recipes.get(nameOrPath)
  if (builtIn !== undefined) return builtIn()
  const isPath = /[/\\]/.test(nameOrPath) || extensions.includes(extname(nameOrPath))
  if (isPath) return loadFile(nameOrPath)
  const names = [...recipes.keys()]
  const near = nearest(nameOrPath, names)
  const hint = near === undefined ? `there are ${names.join(', ')}, or give a .ts file` : `did you mean ${near}?`
  throw new LatheError(`no recipe is called ${JSON.stringify(nameOrPath)}: ${hint}`)
}

async function loadFile(path: string): Promise<Recipe> {
  const extension = extname(path)
  if (!extensions.includes(extension))
    throw new LatheError(`${path} is no recipe: it must end in ${extensions.join(', ')}`)
  const isFile = await stat(path)
    .then((found) => found.isFile())
    .catch(() => false)
  if (!isFile) throw new LatheError(`there is no recipe file ${path}`)
  const isJson = extension === '.json'
  const json = isJson ? await readJsonFile(path) : undefined
  try {
    const found = isJson ? json : await defaultExport(path)
    return defineRecipe((typeof found === 'function' ? await found() : found) as RecipeInput)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const lines = message.split('\n').filter((line) => line.trim() !== '')
    throw new LatheError(`${path}: ${lines.slice(0, 2).join(' ')}`, { cause: error }) // a syntax error says where in the second
  }
}

async function defaultExport(path: string): Promise<unknown> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown }
  if (module.default === undefined)
    throw new LatheError('it has no default export: write export default defineRecipe({ … })')
  return module.default
}
