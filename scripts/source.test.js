import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-source-'))
})

afterEach(() => fs.rmSync(folder, { recursive: true }))

/** What a process prints that loads Lathe's plan room and then the recipe file `name`, which lies far from Lathe. */
function load(name, text) {
  fs.writeFileSync(path.join(folder, name), text)
  const script = `
    import { importSource } from ${JSON.stringify(new URL('./source.js', import.meta.url))}
    const { LoopPlan } = await importSource('plan/index')
    const { default: plan } = await import(${JSON.stringify(path.join(folder, name))})
    console.log(plan instanceof LoopPlan, String(plan))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  return stdout || stderr
}

const recipe = "import { LoopPlan } from 'lathe/plan'\nexport default LoopPlan.parse('1x12') as unknown"

test('a recipe anywhere imports this very copy of Lathe, not a second one', () => {
  expect(load('recipe.ts', recipe)).toBe('true 1x12\n')
})

test('and is an ES module even where package.json says CommonJS', () => {
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "commonjs" }')
  expect(load('recipe.ts', recipe)).toBe('true 1x12\n')
})

test('it may be written in JavaScript too', () => {
  expect(load('recipe.mjs', recipe.replace(' as unknown', ''))).toBe('true 1x12\n')
})

test('a room that does not exist is named', () => {
  expect(load('recipe.ts', recipe.replace('lathe/plan', 'lathe/attic'))).toMatch(/Cannot find module .*src\/attic/)
})
