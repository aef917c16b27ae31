import * as nodeFs from 'node:fs/promises'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/index.ts'
import type { FileSystem } from '../files/durable-file.ts'
import { defineRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { listCheckpoints, loadCheckpoint } from './checkpoint.ts'
import { createRun, type Run, readTiming } from './run-folder.ts'
import { type TrainOptions, train } from './trainer.ts'

const executor = referenceExecutor()
const machine = { executor: 'reference', isa: 'typescript', precision: 'f32', threads: 1 }
const recipe = defineRecipe({
  name: 'tiny',
  task: { name: 'phop', n: 8, p: 1, loss: 'every' },
  model: { plan: '1x2', dModel: 16, nHeads: 2, dFf: 32 },
  steps: 12,
  batch: 4,
  optimizer: { name: 'adamw', lr: 1e-2 },
  evaluate: { every: 100, samples: 8 },
  checkpoint: { every: 5 },
})

let folder: string
let run: Run
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-saver-'))
  run = await createRun(recipe, machine, { path: join(folder, 'run') })
})
afterEach(() => rm(folder, { recursive: true }))

/** A file system on which the save of step 5 begins to write only after `gate`. */
function heldUp(gate: Promise<unknown>): FileSystem {
  const mkdir = async (path: string) => {
    if (path.endsWith('step-5.tmp')) await gate
    return nodeFs.mkdir(path)
  }
  return { ...nodeFs, mkdir: mkdir as FileSystem['mkdir'] }
}

/** A file system that has no room for one step. */
const noRoomFor = (step: number): FileSystem => ({
  ...nodeFs,
  mkdir: ((path: string) => {
    const error = Object.assign(new Error('full'), { code: 'ENOSPC' })
    return path.endsWith(`step-${step}.tmp`) ? Promise.reject(error) : nodeFs.mkdir(path)
  }) as FileSystem['mkdir'],
})

const failure = (options: Partial<TrainOptions>) =>
  train(run, { executor, ...options }).then(
    () => expect.fail('it trained'),
    (error) => error,
  )

const modelAt = (path: string, step: number) =>
  readFile(join(path, 'checkpoints', `step-${step}`, 'model.safetensors'), 'latin1')

describe('saving', () => {
  it('goes on beside training, holds up only the next save, and has the state of its step', async () => {
    const plain = await createRun(recipe, machine, { path: join(folder, 'plain') })
    await train(plain, { executor })
    const steps: number[] = []
    const listed: Promise<number[]>[] = []
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const onStep = ({ step }: { step: number }) => {
      steps.push(step)
      if (step < 10) return
      listed.push(listCheckpoints(run))
      setTimeout(release, 250) // step 10 has other work to do before it waits
    }
    await train(run, { executor, onStep, fs: heldUp(gate) })
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(await listed[0]).toEqual([]) // ten updates done, the save of step 5 still under way
    expect(await listed[1]).toContain(5)
    for (const step of [5, 10, 12]) expect(await modelAt(run.path, step)).toBe(await modelAt(plain.path, step))
    const held = (await readTiming(run)).map(({ savingMilliseconds = 0 }) => savingMilliseconds as number)
    expect(held[0]).toBe(0) // of update 1
    expect(held[1]).toBeGreaterThan(0) // of updates 2 to 10
    expect(held[2]).toBeGreaterThan(40) // the save of step 10 came while that of step 5 was held
  })

  it('is waited for when training ends otherwise', async () => {
    const crash = new Error('a fault')
    const gate = new Promise((resolve) => setTimeout(resolve, 300))
    const onStep = ({ step }: { step: number }) => {
      if (step === 6) throw crash
    }
    expect(await failure({ onStep, fs: heldUp(gate) })).toBe(crash)
    expect(await readdir(join(run.path, 'checkpoints'))).toEqual(['step-5'])
  })

  it('that fails stops training with one line, and going on gives the same run', async () => {
    const error = await failure({ fs: noRoomFor(5) })
    expect(error).toBeInstanceOf(LatheError)
    const path = join(run.path, 'checkpoints', 'step-5')
    expect(error.message).toBe(
      `step 5: cannot save ${path}: no room on the disk (ENOSPC); older checkpoints are untouched`,
    )
    await train(run, { executor })
    const plain = await createRun(recipe, machine, { path: join(folder, 'plain') })
    await train(plain, { executor })
    expect(await modelAt(run.path, 12)).toBe(await modelAt(plain.path, 12))
  })

  it('that fails is a note where the recipe says to continue, but the last one must succeed', async () => {
    const patient = defineRecipe({ ...recipe, checkpoint: { every: 5, failure: 'continue' } })
    run = await createRun(patient, machine, { path: join(folder, 'patient') })
    const notes: string[] = []
    await train(run, { executor, fs: noRoomFor(5), onNote: (note) => notes.push(note) })
    expect(notes).toEqual([
      `step 5: cannot save ${join(run.path, 'checkpoints', 'step-5')}: no room on the disk (ENOSPC); older checkpoints are untouched; training continues`,
    ])
    expect(await listCheckpoints(run)).toEqual([12, 10])

    run = await createRun(patient, machine, { path: join(folder, 'last') })
    expect((await failure({ fs: noRoomFor(12) })).message).toContain('step 12: cannot save')
    expect(await listCheckpoints(run)).toEqual([10, 5])
  })

  it('that fails leaves the best one before it as the best', async () => {
    const every = {
      evaluate: { every: 1, samples: 64 },
      checkpoint: { every: 1, keep: 1, failure: 'continue' },
    } as const
    const often = defineRecipe({ ...recipe, ...every })
    const bestOf = async (path: string, fs: FileSystem = nodeFs) => {
      run = await createRun(often, machine, { path: join(folder, path) })
      await train(run, { executor, fs })
      return (await loadCheckpoint(run)).state.best!.step
    }
    const best = await bestOf('clean')
    expect([best > 1, best < 12]).toEqual([true, true])
    const before = await bestOf('full', noRoomFor(best))
    expect(before).not.toBe(best)
    expect(await listCheckpoints(run)).toEqual([12, before])
  })

  it('that fails beside a fault of training is told in a note', async () => {
    const crash = new Error('a fault')
    const notes: string[] = []
    const onStep = ({ step }: { step: number }) => {
      if (step === 6) throw crash
    }
    expect(await failure({ onStep, fs: noRoomFor(5), onNote: (note) => notes.push(note) })).toBe(crash)
    expect(notes).toEqual([expect.stringContaining('step 5: cannot save')])
  })
})

describe('the lock of a run', () => {
  const isLocked = async () => (await readdir(run.path)).includes('lock')

  it('is held while it trains', async () => {
    const seen: Promise<boolean>[] = []
    await train(run, { executor, onStep: () => seen.push(isLocked()) })
    expect(new Set(await Promise.all(seen.slice(0, -1)))).toEqual(new Set([true]))
    const [first, second] = await Promise.allSettled([train(run, { executor }), train(run, { executor })])
    const refused = [first, second].filter((one) => one.status === 'rejected')
    expect(refused).toHaveLength(1)
    expect(refused[0].reason.message).toContain(`is held by process ${process.pid}`)
  })

  it('is released however training ends', async () => {
    await failure({ fs: noRoomFor(5) })
    expect(await isLocked()).toBe(false)
    await failure({
      onStep: () => {
        throw new Error('a fault')
      },
    })
    expect(await isLocked()).toBe(false)
    await train(run, { executor, signal: AbortSignal.abort() })
    expect(await isLocked()).toBe(false)
    await train(run, { executor })
    expect(await isLocked()).toBe(false)
    const wrong = { ...run, recipe: { ...run.recipe, task: { name: 'phob' } } } as Run
    await expect(train(wrong, { executor })).rejects.toThrow('no task is called "phob"')
    expect(await isLocked()).toBe(false)
  })
})
