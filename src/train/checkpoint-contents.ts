import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { readJsonFile } from '../files/json-file.ts'
import { fromHuggingFace, type ModelConfig, toHuggingFace } from '../model/config.ts'
import { readSafetensors, safetensorsChunks } from '../model/safetensors.ts'
import { fromFloat32, toFloat32 } from '../model/stored-tensor.ts'
import { LatheError } from '../settings/error.ts'
import { must, nonNegative, parseSettings, wholeNumber } from '../settings/settings.ts'
import type { CheckpointFile } from './checkpoint-manifest.ts'

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
  /** `recipeHash` of the run: going on with another recipe would be another run. */
  readonly recipe: string
  /** Positions and floating point operations of all updates so far. */
  readonly tokens: number
  readonly flops: number
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

const stateSchema = z.looseObject({
  step: wholeNumber,
  seed: wholeNumber,
  cursor: wholeNumber,
  stage: wholeNumber,
  recipe: z.string(must('the hash of a recipe')),
  tokens: wholeNumber,
  flops: nonNegative,
  best: z.object({ step: wholeNumber, score: z.number() }).nullable(),
})

/**
 * The files of a checkpoint that is to lie in `folder`, as pieces; tensors are not copied.
 * Throws a LatheError for a tensor whose data does not fit its shape, and for state that JSON would change.
 */
export function serialize(checkpoint: Checkpoint, folder: string): Record<CheckpointFile, Uint8Array[]> {
  const { step, parameters, optimizer, config } = checkpoint
  const state = { ...checkpoint.state, step }
  const lost = Object.entries(state).find(([, value]) => !survivesJson(value))
  if (lost !== undefined) {
    const [name, value] = lost
    throw new LatheError(
      `${join(folder, 'state.json')}: ${name} is ${inspect(value, { breakLength: Infinity })}, which JSON would not keep exactly`,
    )
  }
  return {
    'model.safetensors': tensorChunks(parameters, join(folder, 'model.safetensors')),
    'config.json': [Buffer.from(JSON.stringify(toHuggingFace(config), null, 2))],
    'optimizer.safetensors': tensorChunks(optimizer, join(folder, 'optimizer.safetensors')),
    'state.json': [Buffer.from(JSON.stringify(state, null, 2))],
  }
}

function tensorChunks(tensors: ReadonlyMap<string, NamedTensor>, file: string): Uint8Array[] {
  const stored = Array.from(tensors, ([name, { shape, data }]) => [name, fromFloat32(shape, data)] as const)
  return safetensorsChunks(new Map(stored), {}, file)
}

function survivesJson(value: unknown): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value)
  } catch {
    return false
  }
}

/** Reads the files of a checkpoint. Throws a LatheError that names the file at fault. */
export async function readContents(folder: string, step: number): Promise<Checkpoint> {
  const statePath = join(folder, 'state.json')
  const { step: saved, ...state } = parseSettings(stateSchema, await readJsonFile(statePath), statePath)
  if (saved !== step) throw new LatheError(`${statePath}: it is of step ${saved}, not of step ${step}`)
  const configPath = join(folder, 'config.json')
  return {
    step,
    parameters: await readTensors(join(folder, 'model.safetensors')),
    optimizer: await readTensors(join(folder, 'optimizer.safetensors')),
    state,
    config: fromHuggingFace(await readJsonFile(configPath), configPath),
  }
}

async function readTensors(path: string): Promise<Map<string, NamedTensor>> {
  const named = new Map<string, NamedTensor>()
  for (const [name, tensor] of (await readSafetensors(path)).tensors) {
    named.set(name, { shape: tensor.shape, data: toFloat32(tensor, `${path}: tensor ${JSON.stringify(name)}`) })
  }
  return named
}
