import { mkdtemp, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { ioReason, isGone } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'

/** Who trains a run. */
interface Holder {
  /** The name of the file in the lock's folder that says all this, so that it can never be half written. */
  readonly name: string
  readonly pid: number
  /** When the process began, as the kernel counts it; empty where there is no /proc. */
  readonly began: string
  readonly host: string
}

/**
 * Takes a run for this process until the returned function is called: `lock/` in the run's folder, with one file that
 * names the process. A lock whose process has ended is taken over, with a note.
 * Throws a LatheError that names the process when a living one, or one on another machine, holds the run.
 */
export async function lockRun(
  { path }: { readonly path: string },
  onNote?: (note: string) => void,
): Promise<() => Promise<void>> {
  const folder = join(path, 'lock')
  const name = `${process.pid}.${await beginOf(process.pid)}.${hostname()}`
  const notes: string[] = []
  try {
    while (!(await take(folder, name))) {
      const holder = await findHolder(folder)
      if (holder === undefined) continue // released, or left empty by a loss of power
      const what = `process ${holder.pid} on ${holder.host}`
      const since = await stat(join(folder, holder.name)).then(({ mtime }) => ` since ${mtime.toISOString()}`, gone)
      if (since === undefined) continue
      if (await mayBeAlive(holder))
        throw new LatheError(`${path} is held by ${what}${since}: ${adviceFor(holder, folder)}`)
      await drop(folder, holder.name)
      notes.push(`took over ${path} from ${what}, which held it${since} and has ended`)
    }
    for (const note of notes) onNote?.(note)
    for (const left of await readdir(path)) {
      if (/^lock\.\w{6}$/.test(left)) await rm(join(path, left), { recursive: true, force: true })
    }
  } catch (error) {
    if (error instanceof LatheError) throw error
    throw new LatheError(`${folder}: cannot lock the run: ${ioReason(error)}`, { cause: error })
  }
  return () => drop(folder, name).catch(() => {}) // what stays is known for a dead process's
}

/** Whether the lock was free. A finished folder moves there: that fails while the one that is there names a holder. */
async function take(folder: string, name: string): Promise<boolean> {
  const own = await mkdtemp(`${folder}.`)
  try {
    await writeFile(join(own, name), '')
    await rmdir(folder).catch(() => {}) // only an empty one goes
    await rename(own, folder)
    return (await readdir(folder)).includes(name) // else whoever held it swept away half of ours
  } catch (error) {
    await rm(own, { recursive: true, force: true })
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(code)) return false // ENOENT: swept away by who took it
    if (process.platform === 'win32' && code === 'EPERM') return false
    throw error
  }
}

async function findHolder(folder: string): Promise<Holder | undefined> {
  const [name] = (await readdir(folder).catch(gone)) ?? []
  if (name === undefined) return undefined
  const [, pid, began, host] = /^(\d+)\.(\d*)\.(.+)$/.exec(name) ?? []
  if (pid === undefined)
    throw new LatheError(`${folder} holds ${name}, which is no lock of Lathe's: remove the folder if nothing trains`)
  return { name, pid: Number(pid), began, host }
}

/** Takes a holder's name away, and nobody else's: another process may have taken over meanwhile. */
async function drop(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true })
  await rmdir(folder).catch(() => {}) // somebody else is in it, or it is gone
}

function adviceFor({ host }: Holder, folder: string): string {
  if (host === hostname()) return 'wait until it is done, or stop it'
  return `wait until it is done, stop it, or remove ${folder} if it is gone`
}

async function mayBeAlive({ pid, began, host }: Holder): Promise<boolean> {
  if (host !== hostname()) return true // it cannot be asked
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const now = await beginOf(pid)
  return began === '' || now === '' || now === began // another beginning: its number was given away again
}

/** When a process began, in clock ticks since the machine did; 'ended' for one that awaits its parent; else empty. */
async function beginOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return ''
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ') // from the third on: the second may hold anything
  return fields[0] === 'Z' ? 'ended' : fields[19]
}

function gone(error: NodeJS.ErrnoException): undefined {
  if (!isGone(error)) throw error
}
