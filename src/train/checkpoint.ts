import * as nodeFs from 'node:fs/promises'
import { join } from 'node:path'
import { type FileRecord, type FileSystem, flushFolder, ioReason, isGone, writeFlushed } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'
import { type Checkpoint, readContents, serialize } from './checkpoint-contents.ts'
import { checkpointRoot, commitFolder, listCandidates, removeFolders } from './checkpoint-folder.ts'
import {
  CheckpointDamage,
  type CheckpointFile,
  checkpointFiles,
  manifestText,
  verifyCheckpoint,
} from './checkpoint-manifest.ts'
import { metricsPath, type Run, timingPath } from './run-folder.ts'
import { truncateLog } from './run-log.ts'

export type { Checkpoint, NamedTensor, TrainingState } from './checkpoint-contents.ts'

type RunFolder = Pick<Run, 'path'>

/** A checkpoint as it was found, with a warning for every newer one that is damaged. */
export interface LoadedCheckpoint extends Checkpoint {
  readonly path: string
  readonly warnings: readonly string[]
}

/**
 * Saves a checkpoint as `checkpoints/step-N/`, whole or not at all: written and flushed under a temporary name, the
 * manifest last, then renamed. Append the records of step N before. Afterwards the newest `keep` and the best remain.
 * Returns the folder, and a warning when older ones could not be removed.
 * Throws a LatheError that names step and path; then the older checkpoints are as they were.
 */
export async function saveCheckpoint(
  run: RunFolder,
  checkpoint: Checkpoint,
  { keep = 3, fs = nodeFs }: { keep?: number; fs?: FileSystem } = {},
): Promise<{ path: string; warnings: string[] }> {
  const { step, state } = checkpoint
  const root = checkpointRoot(run)
  const path = join(root, `step-${step}`)
  const contents = serialize(checkpoint, path)
  const temporary = `${path}.tmp`
  let isPlaced = false
  try {
    await makeRoot(run, fs)
    await fs.rm(temporary, { recursive: true, force: true })
    await fs.mkdir(temporary)
    const files = {} as Record<CheckpointFile, FileRecord>
    for (const name of checkpointFiles) files[name] = await writeFlushed(join(temporary, name), contents[name], fs)
    await writeFlushed(join(temporary, 'manifest.json'), [Buffer.from(manifestText(step, files))], fs)
    await flushFolder(temporary, fs)
    await flushLogs(run, fs)
    await commitFolder(temporary, path, fs)
    isPlaced = true
    await flushFolder(root, fs)
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    const problem = isPlaced
      ? `saved ${path}, but a loss of power may undo it: ${ioReason(error)}`
      : `cannot save ${path}: ${ioReason(error)}; older checkpoints are untouched`
    throw new LatheError(`step ${step}: ${problem}`, { cause: error })
  }
  try {
    await prune(run, step, keep, state.best?.step, fs)
    return { path, warnings: [] }
  } catch (error) {
    return {
      path,
      warnings: [`step ${step}: saved, but cannot remove older checkpoints in ${root}: ${ioReason(error)}`],
    }
  }
}

async function makeRoot(run: RunFolder, fs: FileSystem) {
  try {
    await fs.mkdir(checkpointRoot(run))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw error
  }
  await flushFolder(run.path, fs)
}

/** What the logs say up to this step must last as long as its checkpoint. */
async function flushLogs(run: RunFolder, fs: FileSystem) {
  for (const path of [metricsPath(run), timingPath(run)]) {
    const handle = await fs.open(path, 'r').catch((error) => {
      if (isGone(error)) return undefined
      throw error
    })
    try {
      await handle?.sync()
    } finally {
      await handle?.close()
    }
  }
}

async function prune(run: RunFolder, step: number, keep: number, best: number | undefined, fs: FileSystem) {
  const done = (await listCandidates(run, fs)).filter((candidate) => candidate.step <= step)
  const steps = [...new Set(done.map((candidate) => candidate.step))]
  const kept = new Set([...steps.slice(0, keep), best])
  const isReplaced = (path: string) => path.endsWith('.old') && done.some((other) => `${other.path}.old` === path)
  const doomed = done.filter((candidate) => !kept.has(candidate.step) || isReplaced(candidate.path))
  await removeFolders(run, doomed, fs)
}

/** The steps that a run has a checkpoint of, newest first; whether one is whole shows when it is loaded. */
export async function listCheckpoints(run: RunFolder): Promise<number[]> {
  return [...new Set((await listCandidates(run)).map(({ step }) => step))]
}

/**
 * Loads the newest checkpoint that is as it was saved, or the one of `step`, also while the run is trained. A newer one
 * that is damaged is passed over, with a warning that names its file and the reason.
 * Throws a LatheError when there is no such checkpoint, none that is whole, or one that cannot be read though it may be.
 */
export async function loadCheckpoint(run: RunFolder, step?: number): Promise<LoadedCheckpoint> {
  const all = await listCandidates(run)
  if (all.length === 0) throw new LatheError(`${run.path} has no checkpoint yet`)
  const wanted = step === undefined ? all : all.filter((candidate) => candidate.step === step)
  if (wanted.length === 0) {
    const steps = (await listCheckpoints(run)).join(', ')
    throw new LatheError(`${run.path} has no checkpoint of step ${step}: it has those of ${steps}`)
  }
  const warnings: string[] = []
  for (const { step: found, path } of wanted) {
    try {
      await verifyCheckpoint(path, found)
      return { ...(await readContents(path, found)), path, warnings }
    } catch (error) {
      if (await hasGone(path)) return loadCheckpoint(run, step) // its training has saved a newer one
      if (!(error instanceof CheckpointDamage)) throw error
      warnings.push(`checkpoint of step ${found} is damaged: ${error.message}`)
    }
  }
  const what = step === undefined ? 'has no whole checkpoint' : `has no whole checkpoint of step ${step}`
  throw new LatheError(`${run.path} ${what}: ${warnings.join('; ')}`)
}

const hasGone = (path: string): Promise<boolean> => nodeFs.stat(path).then(() => false, isGone)

/**
 * Makes a run what it was when `step` was done, so that training can go on from there: later checkpoints and later
 * records of the logs are removed and a torn last line is mended. Says in words what was done.
 */
export async function rewindRun(run: RunFolder, step: number): Promise<string[]> {
  const notes: string[] = []
  const later = (await listCandidates(run)).filter((candidate) => candidate.step > step)
  if (later.length > 0) {
    await removeFolders(run, later, nodeFs).catch((error) => {
      throw new LatheError(`${checkpointRoot(run)}: cannot remove checkpoints after step ${step}: ${ioReason(error)}`)
    })
    notes.push(`removed the checkpoints of step ${[...new Set(later.map((candidate) => candidate.step))].join(', ')}`)
  }
  for (const path of [metricsPath(run), timingPath(run)]) {
    const { dropped, mended } = await truncateLog(path, step)
    if (mended) notes.push(`mended the last line of ${path}`)
    if (dropped > 0) notes.push(`removed ${dropped} records after step ${step} from ${path}`)
  }
  return notes
}
