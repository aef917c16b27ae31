import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { lockRun } from './lock.ts'

const hasProc = existsSync('/proc/self/stat')
const children: ChildProcess[] = []
let run: { path: string }
beforeEach(async () => {
  run = { path: await mkdtemp(join(tmpdir(), 'lathe-lock-')) }
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(run.path, { recursive: true })
})

/** Leaves a lock as a process with that name would. */
async function leaveLock(name: string, since = new Date('2026-01-02T03:04:05.000Z')) {
  await mkdir(join(run.path, 'lock'))
  await writeFile(join(run.path, 'lock', name), '')
  await utimes(join(run.path, 'lock', name), since, since)
}

/** A process that takes the lock, and says 'held' or why not. It holds it until it is killed. */
async function contender(): Promise<{ child: ChildProcess; said: string }> {
  const module = fileURLToPath(new URL('./lock.ts', import.meta.url))
  const script =
    `import(${JSON.stringify(module)}).then(({ lockRun }) => lockRun({ path: ${JSON.stringify(run.path)} }))` +
    `.then(() => 'held', (error) => error.message).then((said) => { process.stdout.write(said); setInterval(() => {}, 1e6) })`
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [said] = await once(child.stdout!, 'data')
  return { child, said: String(said) }
}

const taken = async () => (await readdir(run.path)).includes('lock')

describe('lockRun', () => {
  it('leaves nothing once it is released, and can be taken again', async () => {
    for (let i = 0; i < 2; i++) {
      const release = await lockRun(run)
      expect(await readdir(run.path)).toEqual(['lock'])
      await release()
      await release()
      expect(await readdir(run.path)).toEqual([])
    }
  })

  it('refuses a run that this process trains already', async () => {
    const release = await lockRun(run)
    const error = await lockRun(run).catch((reason) => reason)
    expect(error).toBeInstanceOf(LatheError)
    const now = new Date().toISOString().slice(0, 10)
    expect(error.message).toMatch(`${run.path} is held by process ${process.pid} on ${hostname()} since ${now}T`)
    expect(error.message).toMatch(/Z: wait until it is done, or stop it$/)
    await release()
    expect(await taken()).toBe(false)
  })

  it('lets one of many have it', async () => {
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(run)))
    const [winner, ...others] = all.filter((one) => one.status === 'fulfilled')
    expect(others).toEqual([])
    expect(all.filter((one) => one.status === 'rejected' && !(one.reason instanceof LatheError))).toEqual([])
    expect(await readdir(run.path)).toEqual(['lock'])
    await winner.value()
    expect(await taken()).toBe(false)
  })

  it('refuses while another process holds it, and takes over when that one was killed', async () => {
    const { child, said } = await contender()
    expect(said).toBe('held')
    const other = `process ${child.pid} on ${hostname()} since `
    await expect(lockRun(run)).rejects.toThrow(`${run.path} is held by ${other}`)
    expect((await contender()).said).toContain(other)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await taken()).toBe(true)
    const notes: string[] = []
    const release = await lockRun(run, (note) => notes.push(note))
    expect(notes).toHaveLength(1)
    expect(notes[0]).toMatch(`took over ${run.path} from process ${child.pid} on ${hostname()}, which held it since 20`)
    await release()
    expect(await taken()).toBe(false)
  })

  it('lets one of many take it over', async () => {
    await leaveLock(`${spawnSync(process.execPath, ['-e', '']).pid}.1.${hostname()}`)
    const notes: string[] = []
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(run, (note) => notes.push(note))))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(notes.length).toBeLessThanOrEqual(1) // none when another one swept the dead lock away
    expect(await readdir(join(run.path, 'lock'))).toEqual([expect.stringMatching(`^${process.pid}\\.`)])
  })

  it.runIf(hasProc)('is not deceived by a process that was given the number of the dead one', async () => {
    await leaveLock(`${process.pid}.1.${hostname()}`)
    const notes: string[] = []
    await lockRun(run, (note) => notes.push(note))
    expect(notes[0]).toContain(
      `from process ${process.pid} on ${hostname()}, which held it since 2026-01-02T03:04:05.000Z`,
    )
  })

  it('believes a process whose beginning was not known', async () => {
    await leaveLock(`${process.pid}..${hostname()}`)
    await expect(lockRun(run)).rejects.toThrow(`is held by process ${process.pid} on`)
  })

  it('cannot know of a process on another machine, and says what to remove', async () => {
    await leaveLock('1.1.elsewhere.example')
    const advice = `wait until it is done, stop it, or remove ${join(run.path, 'lock')} if it is gone`
    await expect(lockRun(run)).rejects.toThrow(
      new LatheError(`${run.path} is held by process 1 on elsewhere.example since 2026-01-02T03:04:05.000Z: ${advice}`),
    )
  })

  it('takes an empty lock, and sweeps up what was cut short', async () => {
    await mkdir(join(run.path, 'lock'))
    await mkdir(join(run.path, 'lock.abc123'))
    const notes: string[] = []
    const release = await lockRun(run, (note) => notes.push(note))
    expect(notes).toEqual([])
    expect(await readdir(run.path)).toEqual(['lock'])
    await release()
  })

  it('leaves the lock of another alone when its own was removed', async () => {
    const release = await lockRun(run)
    await rm(join(run.path, 'lock'), { recursive: true })
    await leaveLock('1.1.elsewhere')
    await release()
    expect(await readdir(join(run.path, 'lock'))).toEqual(['1.1.elsewhere'])
  })

  it('names what is no lock, and a folder that cannot be locked', async () => {
    await leaveLock('notes.txt')
    await expect(lockRun(run)).rejects.toThrow(
      new LatheError(
        `${join(run.path, 'lock')} holds notes.txt, which is no lock of Lathe's: remove the folder if nothing trains`,
      ),
    )
    const nowhere = { path: join(run.path, 'none') }
    await expect(lockRun(nowhere)).rejects.toThrow(
      new LatheError(`${join(nowhere.path, 'lock')}: cannot lock the run: no such file or folder (ENOENT)`),
    )
  })
})
