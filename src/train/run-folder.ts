import { createHash } from 'node:crypto'
import * as nodeFs from 'node:fs/promises'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type FileSystem, flushFolder, ioReason, isGone, replaceFile } from '../files/durable-file.ts'
import { readJsonFile } from '../files/json-file.ts'
import { defineRecipe, type Recipe, type ResolvedRecipe, resolveRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { describeEnvironment, type Environment, isSameEnvironment, type Machine } from './environment.ts'
import { appendRecord, type LogRecord, readLog } from './run-log.ts'

/** A run is a folder that explains itself: recipe.json, env.json, metrics.jsonl, timing.jsonl and checkpoints/. */
export interface Run {
  readonly path: string
  readonly recipe: ResolvedRecipe
  readonly environment: Environment
}

interface Place {
  /** The folder of the run; by default a new one in `root`. */
  readonly path?: string
  readonly root?: string
  readonly fs?: FileSystem
}

/**
 * Makes the folder of a new run. Without a path it is `runs/<recipe>-<plan>-s<seed>`, with a number when that is taken.
 * Throws a LatheError when the path holds something already or cannot be written; then nothing is left behind.
 */
export async function createRun(
  recipe: Recipe,
  machine: Machine,
  { path, root = 'runs', fs = nodeFs }: Place = {},
): Promise<Run> {
  const resolved = resolveRecipe(recipe)
  const environment = await describeEnvironment(machine)
  const folder = path === undefined ? await claimName(root, defaultRunName(recipe)) : await claimPath(path)
  try {
    await writeJson(join(folder, 'env.json'), environment, fs)
    await writeJson(join(folder, 'recipe.json'), resolved, fs) // last: with it the folder is a run
    await flushFolder(dirname(folder), fs)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw new LatheError(`${folder}: cannot make a run there: ${ioReason(error)}`, { cause: error })
  }
  return { path: folder, recipe: resolved, environment }
}

/** Records in `env.json` that a run goes on after `step` updates with other code, or on another machine. */
export async function recordResumption({ path, environment }: Run, machine: Machine, step: number): Promise<void> {
  const { resumed = [] } = environment
  const now = await describeEnvironment(machine)
  if (isSameEnvironment(resumed.at(-1) ?? environment, now)) return
  const file = join(path, 'env.json')
  await writeJson(file, { ...environment, resumed: [...resumed, { step, ...now }] }, nodeFs).catch((error) => {
    throw new LatheError(`${file}: cannot write it: ${ioReason(error)}`)
  })
}

/** SHA-256 of all that decides the curve: every setting but the number of threads and what is computed again. */
export function recipeHash({ threads: _, recompute: __, ...recipe }: ResolvedRecipe): string {
  const sorted = (_key: string, value: unknown) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort())
      : value
  return createHash('sha256').update(JSON.stringify(recipe, sorted)).digest('hex')
}

/** The name of a run's folder: recipe, plan (commas as _) and seed, such as `phop-4_4x4_4-s0`. */
export function defaultRunName({ name, model, seed }: Recipe): string {
  return `${name}-${model.plan.replaceAll(/[^\dx]+/g, '_')}-s${seed}`
}

async function claimName(root: string, name: string): Promise<string> {
  await make(root, true)
  for (let number = 1; ; number++) {
    const folder = join(root, number === 1 ? name : `${name}-${number}`)
    if (await make(folder, false)) return folder
  }
}

/** What is there of a run that was killed before it was one. */
const isBegun = (name: string): boolean => name === 'env.json' || name.endsWith('.tmp')

async function claimPath(path: string): Promise<string> {
  const isNew = await make(path, true)
  if (!isNew && (await readdir(path)).some((name) => !isBegun(name))) {
    throw new LatheError(`${path} holds files already: name a new folder for the run, or resume the run that is there`)
  }
  return path
}

/** Whether the folder is new; one that exists is an error only when it is no folder. */
async function make(path: string, recursive: boolean): Promise<boolean> {
  try {
    const first = await mkdir(path, { recursive }) // undefined when recursive and nothing was to be made
    return !recursive || first !== undefined
  } catch (error) {
    if (!recursive && (error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new LatheError(`${path}: cannot make a folder there: ${ioReason(error)}`)
  }
}

async function writeJson(path: string, value: unknown, fs: FileSystem) {
  await replaceFile(path, [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)], fs)
}

/** Opens the run in a folder. Throws a LatheError that says what is missing or wrong when the folder is no run. */
export async function openRun(path: string): Promise<Run> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new LatheError(`${path} is no run: there is no such folder`)
  if (!found.isDirectory()) throw new LatheError(`${path} is no run: it is a file`)
  for (const name of ['recipe.json', 'env.json']) {
    await stat(join(path, name)).catch((error) => {
      throw new LatheError(
        isGone(error)
          ? `${path} is no run: it has no ${name}`
          : `${join(path, name)}: cannot read it: ${ioReason(error)}`,
      )
    })
  }
  const recipe = await readJsonFile(join(path, 'recipe.json'))
  const environment = (await readJsonFile(join(path, 'env.json'))) as Environment | null
  if (typeof environment?.executor !== 'string')
    throw new LatheError(`${join(path, 'env.json')}: executor is missing: it says what the run computes with`)
  try {
    return { path, recipe: resolveRecipe(defineRecipe(recipe as Recipe)), environment }
  } catch (error) {
    throw new LatheError(`${join(path, 'recipe.json')}: ${(error as Error).message}`, { cause: error })
  }
}

/** What a folder holds, by name. */
export interface Runs {
  readonly runs: Run[]
  /** What began as a run but cannot be opened. */
  readonly broken: { path: string; reason: string }[]
  /** Folders that are no runs and hold some, as those of tables do. */
  readonly folders: { path: string; count: number }[]
}

/** Whether a folder is a run. */
export const isRun = (path: string): Promise<boolean> =>
  stat(join(path, 'recipe.json')).then(
    () => true,
    () => false,
  )

/** Every run in a folder, and how many stand one folder deeper. A folder that does not exist holds none. */
export async function listRuns(folder: string): Promise<Runs> {
  const names = await readdir(folder).catch((error) => {
    if (isGone(error)) return []
    throw new LatheError(`${folder}: cannot list it: ${ioReason(error)}`)
  })
  const folders: Runs['folders'] = []
  const runs: Run[] = []
  const broken: { path: string; reason: string }[] = []
  for (const name of names.sort()) {
    const path = join(folder, name)
    if (!(await isRun(path))) {
      const inner = await readdir(path).catch(() => [])
      const count = (await Promise.all(inner.map((one) => isRun(join(path, one))))).filter(Boolean).length
      if (count > 0) folders.push({ path, count })
      continue
    }
    try {
      runs.push(await openRun(path))
    } catch (error) {
      broken.push({ path, reason: (error as Error).message })
    }
  }
  return { runs, broken, folders }
}

type RunFolder = Pick<Run, 'path'>

export const metricsPath = (run: RunFolder) => join(run.path, 'metrics.jsonl')
export const timingPath = (run: RunFolder) => join(run.path, 'timing.jsonl')

/** Records what a step gave. Deterministic values only: a second run of the same recipe writes the same bytes. */
export function appendMetrics(run: RunFolder, record: LogRecord): Promise<void> {
  return appendRecord(metricsPath(run), record)
}

/** Records how long a step took, and all else that differs from run to run. */
export function appendTiming(run: RunFolder, record: LogRecord): Promise<void> {
  return appendRecord(timingPath(run), record)
}

/** The metrics of a run in order, also of one that is being written. */
export function readMetrics(run: RunFolder): Promise<LogRecord[]> {
  return readLog(metricsPath(run))
}

/** The timings of a run in order. */
export function readTiming(run: RunFolder): Promise<LogRecord[]> {
  return readLog(timingPath(run))
}
