import * as nodeFs from 'node:fs/promises'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'
import { checkpointOf, failure, faulty } from './checkpoint.fixture.ts'
import { listCheckpoints, loadCheckpoint, rewindRun, saveCheckpoint, type TrainingState } from './checkpoint.ts'
import { appendMetrics, metricsPath, readMetrics } from './run-folder.ts'

let run: { path: string }
beforeEach(async () => {
  run = { path: await mkdtemp(join(tmpdir(), 'lathe-checkpoint-')) }
})
afterEach(() => rm(run.path, { recursive: true }))

const at = (...names: string[]) => join(run.path, 'checkpoints', ...names)
const bits = (values: Float32Array) =>
  new Uint32Array(Uint8Array.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)).buffer)

async function saveSteps(...steps: number[]) {
  for (const step of steps) await saveCheckpoint(run, checkpointOf(step), { keep: 100, fs: faulty().fs })
}

describe('a checkpoint', () => {
  it('comes back exactly, to the bit', async () => {
    const saved = checkpointOf(7, { best: { step: 3, score: 0.1 + 0.7 }, stages: [1, { a: 'b' }] })
    const { path, warnings } = await saveCheckpoint(run, saved)
    expect([path, warnings]).toEqual([at('step-7'), []])
    const loaded = await loadCheckpoint(run)
    expect(loaded).toEqual({ ...saved, path, warnings: [] })
    for (const [name, { data }] of saved.parameters) expect(bits(loaded.parameters.get(name)!.data)).toEqual(bits(data))
    for (const [name, { data }] of saved.optimizer) expect(bits(loaded.optimizer.get(name)!.data)).toEqual(bits(data))
  })

  it('is written byte for byte the same again', async () => {
    await saveSteps(7)
    await cp(at('step-7'), join(run.path, 'first'), { recursive: true })
    await saveSteps(7)
    for (const name of await readdir(at('step-7'))) {
      expect(await readFile(at('step-7', name))).toEqual(await readFile(join(run.path, 'first', name)))
    }
    expect(await readdir(at())).toEqual(['step-7'])
  })

  it('of a step that is there takes its place', async () => {
    await saveSteps(7)
    await saveCheckpoint(run, checkpointOf(7, { cursor: 1 }))
    expect((await loadCheckpoint(run)).state.cursor).toBe(1)
    expect(await readdir(at())).toEqual(['step-7'])
  })

  it.each<[string, Partial<TrainingState>]>([
    ['cursor is NaN', { cursor: Number.NaN }],
    ['stage is -0', { stage: -0 }],
    ['best is { step: 1, score: -Infinity }', { best: { step: 1, score: Number.NEGATIVE_INFINITY } }],
    ['other is undefined', { other: undefined }],
    ['other is Map(0) {}', { other: new Map() }],
  ])('refuses state that JSON would change: %s', async (message, state) => {
    await expect(saveCheckpoint(run, checkpointOf(7, state))).rejects.toThrow(
      new LatheError(`${at('step-7', 'state.json')}: ${message}, which JSON would not keep exactly`),
    )
    expect(await readdir(run.path)).toEqual([])
  })

  it('refuses a tensor whose data does not fit its shape', async () => {
    const wrong = { ...checkpointOf(7), optimizer: new Map([['v', { shape: [3], data: new Float32Array(2) }]]) }
    await expect(saveCheckpoint(run, wrong)).rejects.toThrow(
      `${at('step-7', 'optimizer.safetensors')}: tensor "v": F32 of shape [3] takes 12 bytes, its data has 8`,
    )
  })
})

describe('the order of a save', () => {
  it('is: every file flushed, then the folder, then the logs, then renamed, then the name flushed', async () => {
    await appendMetrics(run, { step: 1 })
    const { fs, calls } = faulty()
    await saveCheckpoint(run, checkpointOf(7), { fs })
    const flushed = ['open', 'sync', 'close']
    const file = /^open,(?:write,)+sync,close,/
    let rest = calls.join()
    const skip = (names: string[]) => {
      expect(rest.slice(0, names.join().length)).toBe(names.join())
      rest = rest.slice(names.join().length + 1)
    }
    skip(['mkdir', ...flushed, 'rm', 'mkdir'])
    for (let i = 0; i < 5; i++) {
      expect(rest).toMatch(file)
      rest = rest.replace(file, '')
    }
    skip([...flushed, ...flushed, 'open', 'rm', 'rename', 'rename', ...flushed, 'readdir', 'readdir'])
    expect(rest).toBe('')
  })
})

describe('which checkpoints are kept', () => {
  it('the newest and the best', async () => {
    const best = { step: 20, score: 0.9 }
    for (const step of [10, 20, 30, 40, 50, 60]) {
      await saveCheckpoint(run, checkpointOf(step, { best: step < 20 ? null : best }), { keep: 2 })
    }
    expect(await listCheckpoints(run)).toEqual([60, 50, 20])
  })

  it('what unfinished saves and removals left goes', async () => {
    await saveSteps(1, 2)
    await cp(at('step-1'), at('step-1.old'), { recursive: true })
    await mkdir(at('step-9.tmp'))
    await writeFile(at('step-9.tmp', 'model.safetensors'), 'half')
    await saveSteps(3)
    expect((await readdir(at())).sort()).toEqual(['step-1', 'step-2', 'step-3'])
  })

  it('a later one is left alone until the run is rewound', async () => {
    await saveSteps(10, 20, 30)
    await saveCheckpoint(run, checkpointOf(15), { keep: 1 })
    expect(await listCheckpoints(run)).toEqual([30, 20, 15])
    expect(await rewindRun(run, 15)).toEqual(['removed the checkpoints of step 30, 20'])
    expect(await readdir(at())).toEqual(['step-15'])
  })

  it('warns when an older one cannot be removed; the new one is saved', async () => {
    await saveSteps(10)
    const stuck: FileSystem = {
      ...nodeFs,
      rename: (from, to) => (String(to).endsWith('step-10.tmp') ? failure('EIO') : nodeFs.rename(from, to)),
    }
    const { warnings } = await saveCheckpoint(run, checkpointOf(20), { keep: 1, fs: stuck })
    expect(warnings).toEqual([
      `step 20: saved, but cannot remove older checkpoints in ${at()}: the disk reports an error (EIO)`,
    ])
    expect(await listCheckpoints(run)).toEqual([20, 10])
  })
})

describe.each([
  ['one call of a save fails', false, 'ENOSPC', 'no room on the disk (ENOSPC)'],
  ['everything fails from one call on, as for a killed process', true, 'EIO', 'the disk reports an error (EIO)'],
])('when %s', (_, dead, code, reason) => {
  it.each([200, 100])('of step %i, there is the checkpoint of step 100 or the new one', async (step) => {
    await appendMetrics(run, { step: 1 })
    for (let failing = 1; ; failing++) {
      await rm(at(), { recursive: true, force: true })
      await saveSteps(100)
      const { fs, calls } = faulty(failing, code, dead)
      const saved = saveCheckpoint(run, checkpointOf(step, { cursor: 5 }), { fs, keep: 1 })
      const result = await saved.catch((error: LatheError) => error)
      if (calls.length < failing) {
        expect(failing).toBeGreaterThan(25) // every call of a whole save has failed once
        break
      }
      const loaded = await loadCheckpoint(run)
      expect(loaded.warnings).toEqual([])
      const isNew = loaded.state.cursor === 5
      expect([loaded.step, loaded.state.cursor]).toEqual(isNew ? [step, 5] : [100, 6400])
      if (result instanceof LatheError) {
        const path = at(`step-${step}`)
        expect(result.message).toBe(
          isNew
            ? `step ${step}: saved ${path}, but a loss of power may undo it: ${reason}`
            : `step ${step}: cannot save ${path}: ${reason}; older checkpoints are untouched`,
        )
        if (!dead) expect(await readdir(at())).not.toContain(`step-${step}.tmp`)
      } else {
        expect([isNew, result.warnings.length]).toEqual([true, 1])
      }
      await saveCheckpoint(run, checkpointOf(300), { keep: 1, fs: faulty().fs })
      expect(await readdir(at())).toEqual(['step-300'])
    }
  })
})

it('a save into a run that is not there makes no run', async () => {
  const typo = { path: join(run.path, 'typo') }
  await expect(saveCheckpoint(typo, checkpointOf(1))).rejects.toThrow('no such file or folder (ENOENT)')
  expect(await readdir(run.path)).toEqual([])
})

describe('rewindRun', () => {
  it('takes checkpoints and logs back to a step', async () => {
    for (const step of [10, 20, 30]) {
      await appendMetrics(run, { step, loss: 1 / step })
      await saveSteps(step)
    }
    await appendFile(metricsPath(run), '{"step":31,"lo')
    expect(await rewindRun(run, 20)).toEqual([
      'removed the checkpoints of step 30',
      `mended the last line of ${metricsPath(run)}`,
      `removed 1 records after step 20 from ${metricsPath(run)}`,
    ])
    expect(await listCheckpoints(run)).toEqual([20, 10])
    expect((await readMetrics(run)).map(({ step }) => step)).toEqual([10, 20])
    expect(await rewindRun(run, 20)).toEqual([])
  })

  it('takes a run without checkpoints back to its beginning', async () => {
    await appendMetrics(run, { step: 1 })
    await rewindRun(run, 0)
    expect(await readMetrics(run)).toEqual([])
  })
})
