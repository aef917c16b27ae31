import * as nodeFs from 'node:fs/promises'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { applySettings, phopQuickstart, resolveRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import {
  appendMetrics,
  appendTiming,
  createRun,
  defaultRunName,
  listRuns,
  openRun,
  readMetrics,
  readTiming,
  recordResumption,
} from './run-folder.ts'

const recipe = phopQuickstart()
const machine = { threads: 2, executor: 'reference', isa: 'portable', precision: 'f32' }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-run-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('createRun', () => {
  it('writes the resolved recipe and the environment, and openRun reads them back', async () => {
    const path = join(folder, 'new', 'run')
    const run = await createRun(recipe, machine, { path })
    expect(run).toMatchObject({ path, recipe: resolveRecipe(recipe), environment: machine })
    expect((await readdir(path)).sort()).toEqual(['env.json', 'recipe.json'])
    expect(JSON.parse(await readFile(join(path, 'recipe.json'), 'utf8')).schedule.warmup).toBe(24)
    expect(await openRun(path)).toEqual(run)
  })

  it('takes an empty folder, and refuses one that holds anything', async () => {
    const path = join(folder, 'run')
    await mkdir(path)
    await createRun(recipe, machine, { path })
    await expect(createRun(recipe, machine, { path })).rejects.toThrow(
      new LatheError(`${path} holds files already: name a new folder for the run, or resume the run that is there`),
    )
    await writeFile(join(folder, 'file'), '')
    await expect(createRun(recipe, machine, { path: join(folder, 'file') })).rejects.toThrow(
      /file: cannot make a folder there/,
    )
    await expect(createRun(recipe, machine, { path: join(folder, 'file', 'run') })).rejects.toThrow(
      /no folder \(ENOTDIR\)$/,
    )
  })

  it('takes what a run left that was killed before it was one', async () => {
    const path = join(folder, 'run')
    await mkdir(path)
    for (const name of ['env.json', 'recipe.json.7.tmp']) await writeFile(join(path, name), '{')
    await expect(openRun(path)).rejects.toThrow('it has no recipe.json')
    const run = await createRun(recipe, machine, { path })
    expect(await openRun(path)).toEqual(run)
  })

  it.each(['open', 'rename'] as const)('leaves nothing behind when %s fails', async (call) => {
    const path = join(folder, 'run')
    const full = () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
    await expect(createRun(recipe, machine, { path, fs: { ...nodeFs, [call]: full } })).rejects.toThrow(
      new LatheError(`${path}: cannot make a run there: no room on the disk (ENOSPC)`),
    )
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a run that goes on', () => {
  it('records another machine in its environment, once', async () => {
    const path = join(folder, 'run')
    const run = await createRun(recipe, machine, { path })
    const goOn = async (step: number, changed: object = {}) => {
      await recordResumption(await openRun(path), { ...machine, ...changed }, step)
      return (await openRun(path)).environment.resumed?.map(({ step, isa, threads }) => [step, isa, threads])
    }
    expect(await goOn(10)).toBeUndefined()
    expect(await readFile(join(path, 'env.json'), 'utf8')).toBe(`${JSON.stringify(run.environment, null, 2)}\n`)
    expect(await goOn(20, { isa: 'other' })).toEqual([[20, 'other', machine.threads]])
    expect(await goOn(30, { isa: 'other' })).toHaveLength(1)
    expect(await goOn(40)).toEqual([
      [20, 'other', machine.threads],
      [40, machine.isa, machine.threads],
    ])
  })
})

describe('the default name', () => {
  it.each([
    ['1x4', 'phop-quickstart-1x4-s0'],
    ['4,4x4,4', 'phop-quickstart-4_4x4_4-s0'],
    ['12', 'phop-quickstart-12-s0'],
  ])('of plan %s is %s', (plan, name) => {
    expect(defaultRunName(applySettings(recipe, [`model.plan=${plan}`]))).toBe(name)
  })

  it('gets a number when it is taken, also by several at once', async () => {
    const root = join(folder, 'runs')
    const paths = await Promise.all([1, 2, 3].map(async () => (await createRun(recipe, machine, { root })).path))
    expect(paths.sort()).toEqual(['', '-2', '-3'].map((end) => join(root, `phop-quickstart-1x4-s0${end}`)))
  })
})

describe('openRun', () => {
  it('says where the environment is none', async () => {
    const { path } = await createRun(recipe, machine, { path: join(folder, 'run') })
    await writeFile(join(path, 'env.json'), 'null')
    await expect(openRun(path)).rejects.toThrow(`${join(path, 'env.json')}: executor is missing`)
  })

  it('says what is missing', async () => {
    const path = join(folder, 'run')
    await expect(openRun(path)).rejects.toThrow(new LatheError(`${path} is no run: there is no such folder`))
    await mkdir(path)
    await expect(openRun(path)).rejects.toThrow(new LatheError(`${path} is no run: it has no recipe.json`))
    await writeFile(join(path, 'recipe.json'), JSON.stringify(recipe))
    await expect(openRun(path)).rejects.toThrow(new LatheError(`${path} is no run: it has no env.json`))
    await expect(openRun(join(path, 'recipe.json'))).rejects.toThrow(/is no run: it is a file$/)
  })

  it.each([
    ['{"name":', 'recipe.json: it is no JSON'],
    ['null', 'recipe.json: recipe: it must be an object, got null'],
    [
      JSON.stringify({ ...recipe, steps: 0 }),
      'recipe.json: recipe phop-quickstart: steps must be a positive integer, got 0',
    ],
  ])('names recipe.json when it is wrong', async (text, message) => {
    const { path } = await createRun(recipe, machine, { path: join(folder, 'run') })
    await writeFile(join(path, 'recipe.json'), text)
    await expect(openRun(path)).rejects.toThrow(`${path}/${message}`)
  })
})

describe('listRuns', () => {
  it('lists runs by name, names broken ones and passes over the rest', async () => {
    const make = async (name: string) => (await createRun(recipe, machine, { path: join(folder, name) })).path
    const [b, a, broken] = [await make('b'), await make('a'), await make('broken')]
    await writeFile(join(broken, 'recipe.json'), '{')
    await mkdir(join(folder, 'other'))
    await make('table/c')
    await writeFile(join(folder, 'file'), '')
    const found = await listRuns(folder)
    expect(found.runs.map(({ path }) => path)).toEqual([a, b])
    expect(found.broken).toEqual([{ path: broken, reason: expect.stringContaining('recipe.json: it is no JSON') }])
    expect(found.folders).toEqual([{ path: join(folder, 'table'), count: 1 }])
    expect(await listRuns(join(folder, 'none'))).toEqual({ runs: [], broken: [], folders: [] })
    await expect(listRuns(join(folder, 'file'))).rejects.toThrow(LatheError)
  })
})

describe('logs', () => {
  it('keep what is deterministic apart from what is not', async () => {
    const run = { path: folder }
    await appendMetrics(run, { step: 1, loss: 2.5 })
    await appendTiming(run, { step: 1, seconds: 0.01 })
    expect(await readMetrics(run)).toEqual([{ step: 1, loss: 2.5 }])
    expect(await readTiming(run)).toEqual([{ step: 1, seconds: 0.01 }])
    expect((await readdir(folder)).sort()).toEqual(['metrics.jsonl', 'timing.jsonl'])
  })
})
