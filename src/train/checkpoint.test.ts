import * as nodeFs from 'node:fs/promises'
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../files/durable-file.ts'
import { modelConfig } from '../model/config.ts'
import { LatheError } from '../settings/error.ts'
import {
  type Checkpoint,
  listCheckpoints,
  loadCheckpoint,
  rewindRun,
  saveCheckpoint,
  type TrainingState,
} from './checkpoint.ts'
import { appendMetrics, metricsPath, readMetrics } from './run-folder.ts'

const config = modelConfig({ plan: '1x4', dModel: 8, nHeads: 2, vocabulary: 4, maxLength: 32, initStd: 0.1 + 0.2 })

/** A checkpoint whose every number depends on the step. */
function checkpointOf(step: number, state: Partial<TrainingState> = {}): Checkpoint {
  const weights = Float32Array.of(step, -0, 1e-45, Number.NaN, 1 / step, 3.4e38)
  return {
    step,
    parameters: new Map([
      ['model.norm.weight', { shape: [6], data: weights }],
      ['__proto__', { shape: [2, 3], data: weights }],
    ]),
    optimizer: new Map([['m.model.norm.weight', { shape: [6], data: weights.map((x) => x / 3) }]]),
    state: {
      seed: 0,
      cursor: step * 64,
      stage: 0,
      recipe: 'a hash',
      tokens: 2048 * step,
      flops: 1e9 * step,
      best: null,
      lossEma: 0.1 * step,
      ...state,
    },
    config,
  }
}

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

function failure(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(code), { code }))
}

/** A file system that fails at its `failing`th call (0: never), of files that it opened too; and from then on when `dead`. */
function faulty(failing = 0, code = '', dead = false) {
  const calls: string[] = []
  const watched = <T extends object>(target: T, names: readonly string[]): T =>
    new Proxy(target, {
      get(_, name: string) {
        const call = Reflect.get(target, name)
        if (typeof call !== 'function' || !names.includes(name)) return call
        return async (...args: unknown[]) => {
          calls.push(name)
          const isClose = name === 'close' // a handle must not leak, whatever it reports
          if (isClose) await call.apply(target, args)
          if (failing > 0 && (calls.length === failing || (dead && calls.length > failing))) return failure(code)
          const isDone = isClose || name === 'sync' // counted, but no test needs to wait for the disk
          const result = isDone ? undefined : await call.apply(target, args)
          return name === 'open' ? watched(result as object, ['write', 'sync', 'close']) : result
        }
      },
    })
  const names = ['open', 'mkdir', 'readdir', 'rename', 'rm']
  return { fs: watched<FileSystem>({ ...nodeFs }, names), calls }
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

describe('loadCheckpoint', () => {
  it('gives the step that is asked for', async () => {
    await saveSteps(10, 20)
    expect((await loadCheckpoint(run, 10)).state.cursor).toBe(640)
    await expect(loadCheckpoint(run, 15)).rejects.toThrow(
      new LatheError(`${run.path} has no checkpoint of step 15: it has those of 20, 10`),
    )
  })

  it('says that there is none yet', async () => {
    await expect(loadCheckpoint(run)).rejects.toThrow(new LatheError(`${run.path} has no checkpoint yet`))
    await mkdir(at('step-5.tmp'), { recursive: true })
    await expect(loadCheckpoint(run)).rejects.toThrow('has no checkpoint yet')
  })

  it('takes up one that a save had set aside when it was killed', async () => {
    await saveSteps(10)
    await rename(at('step-10'), at('step-10.old'))
    expect((await loadCheckpoint(run)).step).toBe(10)
    await saveSteps(20)
    expect(await listCheckpoints(run)).toEqual([20, 10])
  })

  const files = ['model.safetensors', 'config.json', 'optimizer.safetensors', 'state.json', 'manifest.json']
  it.each(files)('goes on from the one before when %s is cut short, and names it', async (name) => {
    await saveSteps(10, 20)
    const path = at('step-20', name)
    const { size } = await stat(path)
    const whole = await readFile(path)
    for (const length of [0, 1, 7, 8, 9, size >> 1, size - 2, size - 1]) {
      await writeFile(path, whole)
      await truncate(path, length)
      const loaded = await loadCheckpoint(run)
      expect(loaded.step).toBe(10)
      expect(loaded.warnings).toHaveLength(1)
      expect(loaded.warnings[0]).toContain(`checkpoint of step 20 is damaged: ${path}`)
    }
    await expect(loadCheckpoint(run, 20)).rejects.toThrow(`${run.path} has no whole checkpoint: checkpoint of step 20`)
  })

  it.each(files)('sees any changed byte of %s', async (name) => {
    await saveSteps(10, 20)
    const path = at('step-20', name)
    const whole = await readFile(path)
    for (let i = 0; i < whole.byteLength; i += Math.ceil(whole.byteLength / 20)) {
      const changed = Uint8Array.from(whole)
      changed[i] ^= 1
      await writeFile(path, changed)
      const loaded = await loadCheckpoint(run)
      expect([i, loaded.step]).toEqual([i, 10])
    }
  })

  it.each<[string, () => Promise<unknown>]>([
    ['cannot read it: no such file or folder (ENOENT)', () => rm(at('step-20', 'optimizer.safetensors'))],
    ['manifest.json: cannot read it: no such file', () => rm(at('step-20', 'manifest.json'))],
    ['model.safetensors: it has', () => appendFile(at('step-20', 'model.safetensors'), 'x')],
    ['it is of step 10, not of step 20', () => cp(at('step-10'), at('step-20'), { recursive: true })],
    [
      'manifest.json: there is no setting files.other',
      async () => {
        const manifest = JSON.parse(await readFile(at('step-20', 'manifest.json'), 'utf8'))
        manifest.files.other = manifest.files['state.json']
        await writeFile(at('step-20', 'manifest.json'), JSON.stringify(manifest))
      },
    ],
  ])('warns: %s', async (message, damage) => {
    await saveSteps(10, 20)
    await damage()
    const { step, warnings } = await loadCheckpoint(run)
    expect([step, warnings.length]).toEqual([10, 1])
    expect(warnings[0]).toContain(message)
  })

  const unreadable = (name: string) => async () => {
    await rm(at('step-20', name))
    await mkdir(at('step-20', name))
  }
  const inManifest = (from: string, to: string) => async () => {
    const text = await readFile(at('step-20', 'manifest.json'), 'utf8')
    await writeFile(at('step-20', 'manifest.json'), text.replace(from, to))
  }
  it.each<[string, () => Promise<unknown>]>([
    ['model.safetensors: cannot read it: ', unreadable('model.safetensors')],
    ['manifest.json: cannot read it: ', unreadable('manifest.json')],
    [
      'manifest.json: its format is lathe-checkpoint-2, this Lathe reads lathe-checkpoint-1',
      inManifest('checkpoint-1', 'checkpoint-2'),
    ],
  ])('does not go on from an older one where a newer one may be whole: %s', async (message, hide) => {
    await saveSteps(10, 20)
    await hide()
    await expect(loadCheckpoint(run)).rejects.toThrow(`${at('step-20')}/${message}`)
  })

  it('does not take what it cannot understand for damage', async () => {
    await saveSteps(10)
    await saveCheckpoint(run, checkpointOf(20, { best: 0.5 as never }))
    await expect(loadCheckpoint(run)).rejects.toThrow(`${at('step-20', 'state.json')}: best must be an object`)
  })

  it('lists what is wrong with each when none is whole', async () => {
    await saveSteps(10, 20)
    await rm(at('step-10', 'state.json'))
    await writeFile(at('step-20', 'state.json'), '{}')
    await expect(loadCheckpoint(run)).rejects.toThrow(
      /has no whole checkpoint: checkpoint of step 20 is damaged: .*step-20\/state\.json: it has 2 bytes.*; checkpoint of step 10 is damaged: .*step-10\/state\.json/,
    )
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
        expect(result.message).toBe(`step ${step}: cannot save ${path}: ${reason}; older checkpoints are untouched`)
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
