import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeExecutor, nativeVariants } from '../executor/index.ts'
import { defineRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask, tasks } from '../task/index.ts'
import { BatchSource } from './batch-source.ts'
import { drawBatch } from './batches.ts'
import { type BatchRequest, DataThread } from './data-thread.ts'
import { createRun } from './run-folder.ts'
import { train } from './trainer.ts'

const phop = { name: 'phop', n: 8, p: 1, loss: 'every' }
const recipe = { task: phop, steps: 6, seed: 3, batch: 8, accumulation: 2 }
const unfilled = { name: 'igsm', maxLength: 16 }

describe('a source', () => {
  it.each([...tasks.keys()])('of %s gives the batches that are drawn here, bit for bit', async (name) => {
    const own = { ...recipe, task: { name } }
    const source = new BatchSource(own, 2)
    for (let step = 2; step < 6; step++) expect(await source.next()).toEqual(drawBatch(createTask(own.task), step, own))
    await expect(source.next()).rejects.toThrow('a training of 6 steps has no further batch')
  })

  it('goes on beside another one', async () => {
    const [a, b] = [recipe, { ...recipe, seed: 4 }].map((own) => new BatchSource(own, 0))
    const drawn = await Promise.all([a.next(), b.next(), b.next(), a.next()])
    const here = [0, 0, 1, 1].map((step, i) => drawBatch(createTask(phop), step, { ...recipe, seed: [3, 4, 4, 3][i] }))
    expect(drawn).toEqual(here)
  })

  it('of no further steps asks for nothing', async () => {
    await expect(new BatchSource(recipe, 6).next()).rejects.toThrow(RangeError)
  })

  it('tells in one line what a task refuses, at the batch that it concerns and no earlier', async () => {
    const source = new BatchSource({ ...recipe, task: unfilled }, 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    for (let step = 0; step < 2; step++) {
      const error = await source.next().catch((error) => error)
      expect(error).toBeInstanceOf(LatheError)
      expect(error.message).toMatch(/^task igsm: none of 1000 problems fits 16 tokens: [^\n]*$/)
    }
    const other = new BatchSource(recipe, 0)
    expect(await other.next()).toEqual(drawBatch(createTask(phop), 0, recipe))
  })
})

describe('the data thread', () => {
  const request: BatchRequest = { task: phop, settings: recipe, step: 0 }

  it('that ends tells everybody who waits, and the next who asks gets a new one', async () => {
    const thread = new DataThread()
    const broken = { ...request, settings: undefined } as unknown as BatchRequest
    await thread.draw(request)
    const answers = await Promise.allSettled([broken, request].map((each) => thread.draw(each)))
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: { name: 'TypeError' } })
    const [again, after] = [thread.draw(request), thread.draw({ ...request, step: 1 })]
    expect(await again).toEqual(drawBatch(createTask(phop), 0, recipe))
    expect(await after).toEqual(drawBatch(createTask(phop), 1, recipe))
  })

  it.each([
    ['when nobody waits', 'await source.next()', 0],
    ['when training fails', "await source.next(); throw new Error('out of luck')", 1],
    ['with batches drawn and never taken', '', 0],
  ])('does not keep its process alive %s', (_, body, status) => {
    const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
    const script = `
      import { importSource } from ${url('../../scripts/source.js')}
      const { BatchSource } = await importSource('train/batch-source')
      const source = new BatchSource(${JSON.stringify({ ...recipe, steps: 1000 })}, 0)
      ${body}`
    const cwd = fileURLToPath(new URL('/', import.meta.url)) // whatever folder people are in
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd, timeout: 25_000 })
    expect([ended.status, ended.signal]).toEqual([status, null])
  })
})

describe.each(nativeVariants().slice(0, 1))('a training on native %s', (isa) => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lathe-data-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  // Addition at its full length in batches so large, and a model so small, that drawing one would hold the loop for long.
  it('leaves the event loop free in its usual step, while batches are drawn', async () => {
    const batch = 1024
    const task = { name: 'addition', operands: [32] }
    const settings = { name: 'free', task, model: { plan: '1', dModel: 16, nHeads: 2, dFf: 32 }, steps: 8, batch }
    const recipe = defineRecipe({ ...settings, evaluate: { every: 100, samples: 8 } })
    const executor = nativeExecutor({ isa, precision: 'f32' })
    const machine = { executor: 'native', isa, precision: 'f32', threads: executor.threads }
    const run = await createRun(recipe, machine, { path: join(folder, 'run') })

    const delay = monitorEventLoopDelay({ resolution: 1 })
    const longest: number[] = []
    const onStep = () => {
      longest.push(delay.max / 1e6)
      delay.reset()
    }
    delay.enable()
    await train(run, { executor, onStep })
    delay.disable()
    const began = performance.now()
    drawBatch(createTask(task), 0, recipe)
    const drawing = performance.now() - began

    // A machine with other work delays some steps; drawing here would delay every one.
    const usual = longest.sort((a, b) => a - b)[longest.length / 4]
    expect(usual).toBeLessThan(20)
    expect(usual).toBeLessThan(drawing / 2)
  })
})
