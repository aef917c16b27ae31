import { join } from 'node:path'
import * as z from 'zod'
import { type FileRecord, fileRecord, ioReason, isGone } from '../files/durable-file.ts'
import { readJsonFile } from '../files/json-file.ts'
import { LatheError } from '../settings/error.ts'
import { must, parseSettings, wholeNumber } from '../settings/settings.ts'

/** The files of a checkpoint besides its manifest. */
export const checkpointFiles = ['model.safetensors', 'config.json', 'optimizer.safetensors', 'state.json'] as const
export type CheckpointFile = (typeof checkpointFiles)[number]

const format = 'lathe-checkpoint-1'
const record = z.strictObject({
  bytes: wholeNumber,
  sha256: z.string(must('64 hexadecimal digits')).regex(/^[0-9a-f]{64}$/, must('64 hexadecimal digits')),
})
const schema = z.strictObject({
  format: z.literal(format, must(`"${format}"`)),
  step: wholeNumber,
  files: z.strictObject({
    'model.safetensors': record,
    'config.json': record,
    'optimizer.safetensors': record,
    'state.json': record,
  }),
})
const otherVersion = z.looseObject({
  format: z
    .string()
    .regex(/^lathe-checkpoint-\d+$/)
    .refine((other) => other !== format),
})

/** The manifest as text. It ends with its last brace, so that every shorter text is torn. */
export function manifestText(step: number, files: Readonly<Record<CheckpointFile, FileRecord>>): string {
  return JSON.stringify({ format, step, files }, null, 2)
}

/** A checkpoint that is not as it was saved, and never will be again: an older one may take its place. */
export class CheckpointDamage extends LatheError {}

/**
 * Compares a checkpoint with its manifest: every file is there with its size and its SHA-256.
 * Throws a CheckpointDamage that names the first file that is not as it was written, and another LatheError for what may
 * well be whole: a file that cannot be read now, or a checkpoint of another version of Lathe.
 */
export async function verifyCheckpoint(folder: string, step: number): Promise<void> {
  const path = join(folder, 'manifest.json')
  const manifest = await readManifest(path)
  if (manifest.step !== step) throw new CheckpointDamage(`${path}: it is of step ${manifest.step}, not of step ${step}`)
  for (const name of checkpointFiles) {
    const file = join(folder, name)
    const found = await fileRecord(file).catch((error) => {
      const Kind = isGone(error) ? CheckpointDamage : LatheError
      throw new Kind(`${file}: cannot read it: ${ioReason(error)}`, { cause: error })
    })
    const { bytes, sha256 } = manifest.files[name]
    if (found.bytes !== bytes)
      throw new CheckpointDamage(`${file}: it has ${found.bytes} bytes, the manifest says ${bytes}`)
    if (found.sha256 !== sha256)
      throw new CheckpointDamage(`${file}: its content is not what was saved (SHA-256 differs)`)
  }
}

async function readManifest(path: string) {
  const json = await readJsonFile(path).catch((error: LatheError) => {
    const { cause } = error
    throw cause instanceof SyntaxError || isGone(cause) ? new CheckpointDamage(error.message, { cause }) : error
  })
  const other = otherVersion.safeParse(json)
  if (other.success) throw new LatheError(`${path}: its format is ${other.data.format}, this Lathe reads ${format}`)
  try {
    return parseSettings(schema, json, path)
  } catch (error) {
    throw new CheckpointDamage((error as LatheError).message, { cause: error })
  }
}
