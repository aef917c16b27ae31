import { readFile } from 'node:fs/promises'
import { LatheError } from '../settings/error.ts'
import { ioReason } from './durable-file.ts'

/** Reads a JSON file. Throws a LatheError that names it when it cannot be read or is no JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw new LatheError(`${path}: cannot read it: ${ioReason(error)}`, { cause: error })
  })
  try {
    return JSON.parse(withoutMark(text))
  } catch (error) {
    throw new LatheError(`${path}: it is no JSON: ${(error as Error).message.split('\n')[0]}`, { cause: error })
  }
}

/** A text without the byte order mark that some editors write in front of it. */
export const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '')
