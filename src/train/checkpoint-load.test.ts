import { appendFile, cp, mkdir, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { checkpointOf, faulty } from './checkpoint.fixture.ts'
import { listCheckpoints, loadCheckpoint, saveCheckpoint } from './checkpoint.ts'

let run: { path: string }
beforeEach(async () => {
  run = { path: await mkdtemp(join(tmpdir(), 'lathe-checkpoint-')) }
})
afterEach(() => rm(run.path, { recursive: true }))

const at = (...names: string[]) => join(run.path, 'checkpoints', ...names)

async function saveSteps(...steps: number[]) {
  for (const step of steps) await saveCheckpoint(run, checkpointOf(step), { keep: 100, fs: faulty().fs })
}

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

  it('gives a whole one while newer ones take the place of older ones', async () => {
    const large = (step: number) => {
      const weight = { shape: [1 << 18], data: new Float32Array(1 << 18).fill(step) }
      return { ...checkpointOf(step), parameters: new Map([['weight', weight]]) }
    }
    await saveCheckpoint(run, large(1))
    let isSaving = true
    const saving = async () => {
      for (let step = 2; step <= 12; step++) await saveCheckpoint(run, large(step), { keep: 1, fs: faulty().fs })
      isSaving = false
    }
    const loading = async () => {
      for (let last = 1; isSaving; ) {
        const { step, parameters, warnings } = await loadCheckpoint(run)
        expect([warnings, step >= last, parameters.get('weight')!.data[0]]).toEqual([[], true, step])
        last = step
      }
    }
    await Promise.all([saving(), loading(), loading()])
    expect((await loadCheckpoint(run)).step).toBe(12)
  })

  it('says where the folder of checkpoints is a file', async () => {
    await writeFile(at(), '')
    await expect(loadCheckpoint(run)).rejects.toThrow(
      new LatheError(`${at()}: cannot list the checkpoints: a part of the path is no folder (ENOTDIR)`),
    )
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
    await expect(loadCheckpoint(run, 20)).rejects.toThrow(
      `${run.path} has no whole checkpoint of step 20: checkpoint of step 20`,
    )
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
