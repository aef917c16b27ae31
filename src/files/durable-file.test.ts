import { createHash } from 'node:crypto'
import * as nodeFs from 'node:fs/promises'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FileSystem, fileRecord, ioReason, replaceFile, writeFlushed } from './durable-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-durable-'))
})
afterEach(() => rm(folder, { recursive: true }))

const large = Uint8Array.from({ length: (1 << 22) + 12345 }, (_, i) => i * 7)
const sha256 = (...chunks: Uint8Array[]) => createHash('sha256').update(Buffer.concat(chunks)).digest('hex')

/** A file system whose `write` takes at most `most` bytes at a time. */
function shortWrites(most: number): FileSystem {
  const open: FileSystem['open'] = async (path, flags) => {
    const handle = await nodeFs.open(path, flags)
    const write = handle.write.bind(handle) as (piece: Uint8Array, from: number, length: number) => Promise<unknown>
    return Object.assign(handle, {
      write: (piece: Uint8Array, from: number, length: number) => write(piece, from, Math.min(length, most)),
    }) as typeof handle
  }
  return { ...nodeFs, open }
}

describe('replaceFile', () => {
  it('writes all pieces, says what it wrote and leaves nothing else', async () => {
    const path = join(folder, 'a')
    const chunks = [Buffer.from('head'), new Uint8Array(), large]
    const record = await replaceFile(path, chunks)
    expect(record).toEqual({ bytes: 4 + large.byteLength, sha256: sha256(...chunks) })
    expect(await fileRecord(path)).toEqual(record)
    expect(Buffer.compare(await readFile(path), Buffer.concat(chunks))).toBe(0)
    expect(await readdir(folder)).toEqual(['a'])
  })

  it('goes on after a short write', async () => {
    const path = join(folder, 'a')
    const record = await replaceFile(path, [large], shortWrites(100_000))
    expect(await fileRecord(path)).toEqual(record)
  })

  it('ends with an error where nothing is taken at all', async () => {
    await expect(writeFlushed(join(folder, 'a'), [large], shortWrites(0))).rejects.toThrow('took no more bytes')
  })

  it('keeps the old file when the new one cannot be written', async () => {
    const path = join(folder, 'a')
    await writeFile(path, 'old')
    const failing = function* () {
      yield Buffer.from('new')
      throw new Error('no more')
    }
    await expect(replaceFile(path, failing())).rejects.toThrow('no more')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['a'])
  })

  it.runIf(process.platform === 'linux')('passes on that the disk is full', async () => {
    const error = await writeFlushed('/dev/full', [large]).catch((reason) => reason)
    expect(ioReason(error)).toBe('no room on the disk (ENOSPC)')
  })
})

describe('ioReason', () => {
  it('puts codes into words and keeps other messages', () => {
    expect(ioReason(Object.assign(new Error('x'), { code: 'EIO' }))).toBe('the disk reports an error (EIO)')
    expect(ioReason(Object.assign(new Error('x'), { code: 'ELOOP' }))).toBe('ELOOP')
    expect(ioReason(new Error('something else'))).toBe('something else')
  })
})
