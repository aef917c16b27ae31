import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import * as nodeFs from 'node:fs/promises'
import { dirname } from 'node:path'

/** The part of `node:fs/promises` that durable writing uses, so that a test can make any call of it fail. */
export type FileSystem = Pick<typeof nodeFs, 'open' | 'mkdir' | 'readdir' | 'readFile' | 'rename' | 'rm' | 'stat'>

/** What was written: the manifest of a checkpoint records it. */
export interface FileRecord {
  readonly bytes: number
  /** SHA-256 in hexadecimal. */
  readonly sha256: string
}

const pieceBytes = 1 << 22 // hashing one piece must not hold the event loop

/**
 * Writes a file so that, whatever happens, the path holds the old content or the new one in full: to a temporary file
 * beside it, flushed, then renamed. On an error the temporary file is removed and the error passed on.
 */
export async function replaceFile(path: string, chunks: Iterable<Uint8Array>, fs: FileSystem = nodeFs) {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const record = await writeFlushed(temporary, chunks, fs)
    await fs.rename(temporary, path)
    await flushFolder(dirname(path), fs)
    return record
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/** Writes a new file and flushes it to the disk. */
export async function writeFlushed(path: string, chunks: Iterable<Uint8Array>, fs: FileSystem = nodeFs) {
  const hash = createHash('sha256')
  let bytes = 0
  const handle = await fs.open(path, 'w')
  try {
    for (const chunk of chunks) {
      for (let start = 0; start < chunk.byteLength; start += pieceBytes) {
        const piece = chunk.subarray(start, start + pieceBytes)
        hash.update(piece)
        bytes += piece.byteLength
        await writeAll(handle, piece)
      }
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  return { bytes, sha256: hash.digest('hex') } satisfies FileRecord
}

async function writeAll(handle: FileHandle, piece: Uint8Array) {
  for (let done = 0; done < piece.byteLength; ) {
    const { bytesWritten } = await handle.write(piece, done, piece.byteLength - done)
    if (bytesWritten === 0) throw new Error('the disk took no more bytes')
    done += bytesWritten
  }
}

/** Makes the names in a folder (a rename, a new file) survive a loss of power. */
export async function flushFolder(path: string, fs: FileSystem = nodeFs): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const handle = await fs.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** SHA-256 and size of a file as it lies on the disk. */
export async function fileRecord(path: string, fs: FileSystem = nodeFs): Promise<FileRecord> {
  const hash = createHash('sha256')
  const piece = new Uint8Array(pieceBytes)
  let bytes = 0
  const handle = await fs.open(path, 'r')
  try {
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, pieceBytes, bytes)
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
      hash.update(piece.subarray(0, bytesRead))
      bytes += bytesRead
    }
  } finally {
    await handle.close()
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no room on the disk',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk reports an error',
  ENOENT: 'no such file or folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the disk is read-only',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  EMFILE: 'too many open files',
}

/** Whether a file error says that nothing is there. */
export const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** A file error in a few words, with its code. */
export function ioReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) return message
  return Object.hasOwn(reasons, code) ? `${reasons[code]} (${code})` : code
}
