import * as nodeFs from 'node:fs/promises'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { fromHuggingFace, type ModelConfig, toHuggingFace } from '../model/config.ts'
import { type FileRecord, type FileSystem, flushFolder, ioReason, writeFlushed } from '../model/durable-file.ts'
import { readSafetensors, safetensorsChunks } from '../model/safetensors.ts'
import { fromFloat32, toFloat32 } from '../model/stored-tensor.ts'
import { LatheError } from '../tensor/error.ts'
import { type Candidate, checkpointRoot, commitFolder, listCandidates, removeFolders } from './checkpoint-folder.ts'
import { checkpointFiles, manifestText, verifyCheckpoint } from './checkpoint-manifest.ts'
import { metricsPath, type Run, timingPath } from './run-folder.ts'
import { truncateLog } from './run-log.ts'

type RunFolder = Pick<Run, 'path'>

/** Float32 values, row-major. */
export interface NamedTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** All of training that is no tensor. Every value must survive JSON exactly; more fields may stand beside these. */
export interface TrainingState {
  readonly seed: number
  /** Index of the next training sequence. */
  readonly cursor: number
  /** Stage of the schedule, from 0. */
  readonly stage: number
  readonly best: { readonly step: number; readonly score: number } | null
  readonly [name: string]: unknown
}

/** What a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  /** Updates done. */
  readonly step: number
  readonly parameters: ReadonlyMap<string, NamedTensor>
  readonly optimizer: ReadonlyMap<string, NamedTensor>
  readonly state: TrainingState
  readonly config: ModelConfig
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
  { keep = 3, fs = nodeFs as FileSystem } = {},
): Promise<{ path: string; warnings: string[] }> {
  const { step, state } = checkpoint
  const root = checkpointRoot(run)
  const path = join(root, `step-${step}`)
  const contents = serialize(checkpoint, path)
  const temporary = `${path}.tmp`
  try {
    const isFirst = (await fs.mkdir(root, { recursive: true })) !== undefined
    await fs.rm(temporary, { recursive: true, force: true })
    await fs.mkdir(temporary)
    const files: Record<string, FileRecord> = {}
    for (const name of checkpointFiles) files[name] = await writeFlushed(join(temporary, name), contents[name], fs)
    await writeFlushed(join(temporary, 'manifest.json'), [Buffer.from(manifestText(step, files))], fs)
    await flushFolder(temporary, fs)
    await flushLogs(run, fs)
    await commitFolder(temporary, path, fs)
    await flushFolder(root, fs)
    if (isFirst) await flushFolder(run.path, fs)
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    throw new LatheError(`step ${step}: cannot save ${path}: ${ioReason(error)}; older checkpoints are untouched`, {
      cause: error,
    })
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

type Contents = Record<(typeof checkpointFiles)[number], Uint8Array[]>

function serialize({ step, parameters, optimizer, state, config }: Checkpoint, path: string): Contents {
  const tensors = (named: ReadonlyMap<string, NamedTensor>, file: string) =>
    safetensorsChunks(
      new Map(Array.from(named, ([name, { shape, data }]) => [name, fromFloat32(shape, data)])),
      {},
      file,
    )
  const lost = Object.keys(state).find((key) => !isDeepStrictEqual(throughJson(state[key]), state[key]))
  if (lost !== undefined) {
    throw new LatheError(
      `step ${step}: cannot save ${path}: JSON would not keep the state's ${JSON.stringify(lost)} exactly`,
    )
  }
  return {
    'model.safetensors': tensors(parameters, join(path, 'model.safetensors')),
    'config.json': [Buffer.from(JSON.stringify(toHuggingFace(config), null, 2))],
    'optimizer.safetensors': tensors(optimizer, join(path, 'optimizer.safetensors')),
    'state.json': [Buffer.from(JSON.stringify({ step, ...state }, null, 2))],
  }
}

function throughJson(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text === undefined ? undefined : JSON.parse(text)
}

/** What the logs say of this step must not be lost while its checkpoint is kept. */
async function flushLogs(run: RunFolder, fs: FileSystem) {
  for (const path of [metricsPath(run), timingPath(run)]) {
    const handle = await fs.open(path, 'r').catch((error) => {
      if (error.code === 'ENOENT') return undefined
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
  const isFirstOfStep = (candidate: Candidate) => done.find((other) => other.step === candidate.step) === candidate
  await removeFolders(
    run,
    done.filter((candidate) => !kept.has(candidate.step) || !isFirstOfStep(candidate)),
    fs,
  )
}

/** The steps that a run has a checkpoint of, newest first; whether one is whole shows when it is loaded. */
export async function listCheckpoints(run: RunFolder): Promise<number[]> {
  return [...new Set((await listCandidates(run)).map(({ step }) => step))]
}

/**
 * Loads the newest checkpoint that is as it was saved, or the one of `step`. A newer one that is damaged is passed
 * over, with a warning that names its file and the reason.
 * Throws a LatheError when there is no such checkpoint, or none that is whole.
 */
export async function loadCheckpoint(
  run: RunFolder,
  step?: number,
): Promise<Checkpoint & { path: string; warnings: string[] }> {
  const all = await listCandidates(run)
  if (all.length === 0) throw new LatheError(`${run.path} has no checkpoint yet`)
  const wanted = step === undefined ? all : all.filter((candidate) => candidate.step === step)
  if (wanted.length === 0) {
    const steps = [...new Set(all.map((candidate) => candidate.step))].join(', ')
    throw new LatheError(`${run.path} has no checkpoint of step ${step}: it has those of ${steps}`)
  }
  const warnings: string[] = []
  for (const { step, path } of wanted) {
    try {
      await verifyCheckpoint(path, step)
      return { ...(await read(path, step)), path, warnings }
    } catch (error) {
      if (!(error instanceof LatheError)) throw error
      warnings.push(`checkpoint of step ${step} is damaged: ${error.message}`)
    }
  }
  throw new LatheError(
    `${run.path} has no ${step === undefined ? 'whole checkpoint' : 'other copy'}: ${warnings.join('; ')}`,
  )
}

async function read(folder: string, step: number): Promise<Checkpoint> {
  const tensors = async (name: string) => {
    const file = await readSafetensors(join(folder, name))
    return new Map(
      Array.from(file.tensors, ([key, tensor]) => [key, { shape: tensor.shape, data: toFloat32(tensor, key) }]),
    )
  }
  const json = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'))
  const { step: saved, ...state } = await json('state.json')
  if (saved !== step) throw new LatheError(`${join(folder, 'state.json')}: it is of step ${saved}, not of step ${step}`)
  return {
    step,
    parameters: await tensors('model.safetensors'),
    optimizer: await tensors('optimizer.safetensors'),
    state,
    config: fromHuggingFace(await json('config.json'), join(folder, 'config.json')),
  }
}

/**
 * Makes a run what it was when `step` was done, so that training can go on from there: later checkpoints and later
 * records of the logs are removed and a torn last line is mended. Says in words what was removed.
 */
export async function rewindRun(run: RunFolder, step: number): Promise<string[]> {
  const notes: string[] = []
  const later = (await listCandidates(run)).filter((candidate) => candidate.step > step)
  if (later.length > 0) {
    await removeFolders(run, later, nodeFs)
    notes.push(`removed the checkpoints of step ${[...new Set(later.map((candidate) => candidate.step))].join(', ')}`)
  }
  for (const path of [metricsPath(run), timingPath(run)]) {
    const { dropped, mended } = await truncateLog(path, step)
    if (mended) notes.push(`mended the last line of ${path}`)
    if (dropped > 0) notes.push(`removed ${dropped} records after step ${step} from ${path}`)
  }
  return notes
}
