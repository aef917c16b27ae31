import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

/** The floor of every room. A room may import from its own floor and from those below. */
const floors: Record<string, number> = {
  cli: 8,
  train: 7,
  bench: 7,
  eval: 7,
  report: 7,
  generate: 7,
  reproduce: 7,
  theory: 7,
  task: 6,
  recipes: 6,
  model: 5,
  optim: 5,
  nn: 4,
  executor: 4,
  compile: 3,
  ops: 2,
  graph: 1,
  settings: 1,
  files: 1,
  tensor: 1,
  plan: 1,
}

/** Files over 400 lines, each with its reason. */
const longFiles: Record<string, string> = {}
const longestFile = 400

interface Source {
  path: string // from the repository's root, with slashes
  text: string
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('native/test/')
const sources: Source[] = ['src', 'native']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .filter((path) => /\.(ts|cc|h)$/.test(path) && !path.startsWith('native/build/') && !isTest(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

/** Every import of a file: static, re-exported, dynamic, of a type; comments that show one start their line otherwise. */
function importsOf(text: string): string[] {
  const statements = /^(?:import|export)\s[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]/gm
  const calls = /^(?!\s*(?:\*|\/\/)).*?\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...text.matchAll(statements), ...text.matchAll(calls)].map((match) => match[1] ?? match[2]!)
}

/** The room that an import leads to, or undefined for a package. */
function roomOf(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('lathe/')) return specifier.split('/')[1]
  if (!specifier.startsWith('.')) return undefined
  const [top, room] = posix.join(posix.dirname(from), specifier).split('/')
  return top === 'src' ? room : undefined
}

function upwardImports({ path, text }: Source): string[] {
  const [, room] = path.split('/')
  const floor = floors[room!]
  if (floor === undefined) return [`${path}: src/${room} is on no floor; give it one in src/house.test.ts`]
  return importsOf(text).flatMap((specifier) => {
    const target = roomOf(specifier, path)
    if (target === undefined) return []
    if (floors[target] === undefined) return [`${path} imports '${specifier}', which is in no room`]
    if (floors[target] <= floor) return []
    return [`${path} (floor ${floor}) imports '${specifier}' (floor ${floors[target]})`]
  })
}

function tooLong({ path, text }: Source): string[] {
  const lines = text.trimEnd().split('\n').length
  return lines <= longestFile || path in longFiles ? [] : [`${path} has ${lines} lines`]
}

describe('the house', () => {
  test('no file imports from a floor above its own', () => {
    expect(sources.length).toBeGreaterThan(0)
    expect(sources.filter(({ path }) => path.startsWith('src/')).flatMap(upwardImports)).toEqual([])
  })

  test('no file is over 400 lines without a reason', () => {
    expect(sources.flatMap(tooLong)).toEqual([])
  })

  test('every excused file is still long', () => {
    const long = sources.filter((source) => source.path in longFiles && source.text.split('\n').length > longestFile)
    expect(Object.keys(longFiles).sort()).toEqual(long.map(({ path }) => path).sort())
  })
})

describe('its checks', () => {
  const check = (path: string, text: string) => upwardImports({ path, text })

  test.each([
    ["import { x } from '../nn/x.ts'"],
    ['import { x } from "../nn/x.ts"'],
    ["import {\n  x,\n  y,\n} from '../nn/x.ts'"],
    ["import type { X } from '../nn/x.ts'"],
    ["import '../nn/x.ts'"],
    ["export * from '../nn/x.ts'"],
    ["const { x } = await import('../nn/x.ts')"],
    ["function f(x: import('../nn/x.ts').X) {}"],
    ["import { x } from 'lathe/nn'"],
  ])('see a planted climb: %s', (text) => {
    expect(check('src/ops/planted.ts', `import './fine.ts'\n${text}\n`)).toHaveLength(1)
  })

  test('name the file, the import and both floors', () => {
    const [finding] = check('src/plan/deep/planted.ts', "import { x } from '../../cli/main.ts'\n")
    expect(finding).toBe("src/plan/deep/planted.ts (floor 1) imports '../../cli/main.ts' (floor 8)")
  })

  test.each([
    ['a room below', "import { x } from '../tensor/x.ts'"],
    ['the same floor', "import { x } from '../executor/x.ts'"],
    ['the same room', "import { x } from './x.ts'"],
    ['a package', "import { z } from 'zod'"],
    ['an example in a doc comment', "/**\n * import { x } from 'lathe/train'\n * await import('../cli/main.ts')\n */"],
  ])('let %s pass', (_, text) => {
    expect(check('src/nn/fine.ts', text)).toEqual([])
  })

  test('see a room that has no floor, from inside and from outside', () => {
    expect(check('src/attic/x.ts', '')).toHaveLength(1)
    expect(check('src/cli/x.ts', "import { x } from '../attic/x.ts'")).toHaveLength(1)
  })

  test('see a file that is too long', () => {
    expect(tooLong({ path: 'src/ops/planted.ts', text: 'x\n'.repeat(400) })).toEqual([])
    expect(tooLong({ path: 'src/ops/planted.ts', text: 'x\n'.repeat(401) })).toEqual([
      'src/ops/planted.ts has 401 lines',
    ])
  })
})
