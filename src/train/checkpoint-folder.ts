import * as nodeFs from 'node:fs/promises'
import { join } from 'node:path'
import { type FileSystem, flushFolder, ioReason, isGone } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'

/** A folder that may hold a checkpoint. `step-N.old` is one that a save of the same step was about to replace. */
export interface Candidate {
  readonly step: number
  readonly path: string
}

export function checkpointRoot(run: { readonly path: string }): string {
  return join(run.path, 'checkpoints')
}

/** The checkpoint folders of a run, newest first; a replaced one after the one that replaces it. */
export async function listCandidates(run: { readonly path: string }, fs: FileSystem = nodeFs): Promise<Candidate[]> {
  const root = checkpointRoot(run)
  const names = await fs.readdir(root).catch((error) => {
    if (isGone(error)) return []
    throw new LatheError(`${root}: cannot list the checkpoints: ${ioReason(error)}`, { cause: error })
  })
  const candidates = names.flatMap((name) => {
    const step = /^step-(\d+)(?:\.old)?$/.exec(name)?.[1]
    return step === undefined ? [] : [{ step: Number(step), path: join(root, name) }]
  })
  return candidates.sort((a, b) => b.step - a.step || a.path.length - b.path.length)
}

/** Puts a finished temporary folder in its place. A folder that is there steps aside and comes back on an error. */
export async function commitFolder(temporary: string, final: string, fs: FileSystem): Promise<void> {
  const aside = `${final}.old`
  await fs.rm(aside, { recursive: true, force: true })
  const replaces = await fs.rename(final, aside).then(
    () => true,
    (error) => {
      if (isGone(error)) return false
      throw error
    },
  )
  try {
    await fs.rename(temporary, final)
  } catch (error) {
    if (replaces) await fs.rename(aside, final)
    throw error
  }
}

/** Removes checkpoints so that none is ever half there under its name, and what unfinished saves and removals left. */
export async function removeFolders(run: { readonly path: string }, doomed: readonly Candidate[], fs: FileSystem) {
  const root = checkpointRoot(run)
  const clean = async () => {
    for (const name of await fs.readdir(root)) {
      if (name.endsWith('.tmp')) await fs.rm(join(root, name), { recursive: true, force: true })
    }
  }
  await clean()
  for (const { path } of doomed) await fs.rename(path, `${path}.tmp`)
  if (doomed.length === 0) return
  await flushFolder(root, fs)
  await clean()
}
