import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTask } from '../task/index.ts'
import { loadRecipe, recipes } from './load.ts'

const recipe = { name: 'mine', task: { name: 'phop' }, model: { plan: '2', dModel: 8, nHeads: 2 }, steps: 3 }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-recipes-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function written(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

describe('the recipes that come with Lathe', () => {
  it.each([...recipes.keys()])('%s is called so, loads by name and has a task', async (name) => {
    const loaded = await loadRecipe(name)
    expect(loaded.name).toBe(name)
    expect(createTask(loaded.task).length).toBeGreaterThan(0)
  })

  it('keep to the paper', async () => {
    expect(await loadRecipe('phop-32')).toMatchObject({
      task: { n: 256, p: 32, loss: 'last' },
      model: { dModel: 128, nHeads: 8, dFf: 512, positions: 'rope' },
      optimizer: { name: 'adafactor', lr: 1e-3 },
      steps: 200_000,
      batch: 256,
    })
  })
})

describe('a recipe of your own', () => {
  it.each([
    ['mine.json', JSON.stringify(recipe)],
    ['object.js', `export default ${JSON.stringify(recipe)}`],
    ['function.js', `export default () => (${JSON.stringify(recipe)})`],
    ['later.js', `export default async () => (${JSON.stringify(recipe)})`],
    ['typed.ts', `const recipe: { name: string } = ${JSON.stringify(recipe)}\nexport default recipe`],
  ])('is read from %s', async (name, text) => {
    expect(await loadRecipe(await written(name, text))).toMatchObject({ ...recipe, batch: 64 })
  })

  it.each([
    ['wrong.json', JSON.stringify({ ...recipe, steps: 0 }), 'recipe mine: steps must be a positive integer, got 0'],
    ['torn.json', '{"name":', 'it is no JSON: Unexpected end of JSON input'],
    ['named.js', 'export const recipe = {}', 'it has no default export: write export default defineRecipe({ … })'],
    ['throws.js', 'throw new Error("no\\nway")', 'no'],
    ['throws-later.js', 'export default () => { throw new Error("never") }', 'never'],
    ['empty.json', 'null', 'recipe: it must be an object, got null'],
  ])('is refused from %s in one line', async (name, text, message) => {
    const path = await written(name, text)
    await expect(loadRecipe(path)).rejects.toThrow(`${path}: ${message}`)
    await expect(loadRecipe(path)).rejects.not.toThrow('\n')
  })

  it('is refused when it does not parse', async () => {
    const path = await written('broken.js', 'export default {')
    await expect(loadRecipe(path)).rejects.toThrow(new RegExp(`^${path}: [^\\n]+$`))
  })
})

describe('loadRecipe', () => {
  it.each([
    ['phop-quikstart', 'no recipe is called "phop-quikstart": did you mean phop-quickstart?'],
    ['something', `no recipe is called "something": there are ${[...recipes.keys()].join(', ')}, or give a .ts file`],
    ['__proto__', 'no recipe is called "__proto__"'],
    ['./recipe.txt', './recipe.txt is no recipe: it must end in .ts, .js, .json'],
    ['./none.ts', 'there is no recipe file ./none.ts'],
    ['none.json', 'there is no recipe file none.json'],
    ['./src', './src is no recipe: it must end in .ts, .js, .json'],
  ])('refuses %s', async (name, message) => {
    await expect(loadRecipe(name)).rejects.toThrow(message)
  })
})
