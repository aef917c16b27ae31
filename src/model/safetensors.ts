import type { FileHandle } from 'node:fs/promises'
import * as nodeFs from 'node:fs/promises'
import { type FileRecord, type FileSystem, ioReason, replaceFile } from '../files/durable-file.ts'
import { nearest } from '../settings/nearest.ts'
import {
  type Header,
  headerLength,
  lengthBytes,
  parseHeader,
  SafetensorsError,
  tensorBytes,
} from './safetensors-header.ts'
import { dtypeBytes, type StoredTensor } from './stored-tensor.ts'

/** What a safetensors file holds. Tensors come in the order of their bytes. */
export interface Safetensors {
  readonly file: string
  readonly tensors: Map<string, StoredTensor>
  /** Without a prototype: any key is harmless. */
  readonly metadata: Record<string, string>
}

/**
 * Reads a safetensors file as strictly as the Rust crate, and repeated keys more so. The header is checked against the
 * size of the file before any memory is taken for tensors; the bytes of the file are held once.
 * Throws a SafetensorsError that names file, tensor and fault.
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  try {
    const stat = await nodeFs.stat(path)
    if (!stat.isFile()) throw new SafetensorsError('IoError', path, 'it is no file')
    const handle = await nodeFs.open(path, 'r')
    try {
      const length = headerLength(await readBytes(handle, 0, Math.min(lengthBytes, stat.size), path), stat.size, path)
      const body = lengthBytes + length
      const header = parseHeader(await readBytes(handle, lengthBytes, length, path), stat.size - body, path)
      return { file: path, tensors: await readTensors(handle, header, body, path), metadata: header.metadata }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof SafetensorsError) throw error
    throw new SafetensorsError('IoError', path, `cannot read it: ${ioReason(error)}`)
  }
}

/** The same for bytes that are in memory already; the tensors are views of them. */
export function parseSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const length = headerLength(bytes.subarray(0, lengthBytes), bytes.byteLength, file)
  const body = bytes.subarray(lengthBytes + length)
  const { entries, metadata } = parseHeader(bytes.subarray(lengthBytes, lengthBytes + length), body.byteLength, file)
  const tensors = new Map<string, StoredTensor>()
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { dtype, shape, data: body.subarray(begin, end) })
  }
  return { file, tensors, metadata }
}

/** The tensor of that name. Throws a SafetensorsError that suggests the nearest one. */
export function findTensor({ file, tensors }: Safetensors, name: string): StoredTensor {
  const tensor = tensors.get(name)
  if (tensor !== undefined) return tensor
  const near = nearest(name, [...tensors.keys()])
  const problem = `it is not there${near === undefined ? '' : `: did you mean ${JSON.stringify(near)}?`}`
  throw new SafetensorsError('TensorNotFound', file, problem, name)
}

const groupBytes = 1 << 26 // small tensors share one read

async function readTensors(handle: FileHandle, { entries }: Header, body: number, file: string) {
  const tensors = new Map<string, StoredTensor>()
  for (let first = 0; first < entries.length; ) {
    const { begin } = entries[first]
    let last = first
    while (last + 1 < entries.length && entries[last + 1].end - begin <= groupBytes) last++
    const group = await readBytes(handle, body + begin, entries[last].end - begin, file)
    for (const { name, dtype, shape, begin: from, end } of entries.slice(first, last + 1)) {
      tensors.set(name, { dtype, shape, data: group.subarray(from - begin, end - begin) })
    }
    first = last + 1
  }
  return tensors
}

async function readBytes(handle: FileHandle, position: number, length: number, file: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 1 << 30), position + done)
    if (bytesRead === 0) throw new SafetensorsError('Truncated', file, 'it became shorter while it was read')
    done += bytesRead
  }
  return bytes
}

/**
 * Writes a safetensors file, byte for byte as the Rust crate does: tensors by falling alignment and then by name, the
 * header padded with spaces to 8 bytes. The path holds the old file or the new one, never a part.
 * Throws a SafetensorsError, before anything is written when a tensor's data does not fit its shape and dtype.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
  fs: FileSystem = nodeFs,
): Promise<FileRecord> {
  const chunks = safetensorsChunks(tensors, metadata, path)
  try {
    return await replaceFile(path, chunks, fs)
  } catch (error) {
    throw new SafetensorsError('IoError', path, `cannot write it: ${ioReason(error)}`)
  }
}

/** The pieces of a safetensors file in order: header and tensors, whose data is not copied. */
export function safetensorsChunks(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
  file: string,
): Uint8Array[] {
  const order = Object.keys(dtypeBytes)
  const sorted = Array.from(tensors, ([name, tensor]) => ({ name, tensor, rank: order.indexOf(tensor.dtype) }))
  sorted.sort((a, b) => a.rank - b.rank || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
  const fields: string[] = []
  const keys = Object.keys(metadata).sort()
  if (keys.length > 0) {
    fields.push(`"__metadata__":{${keys.map((key) => `${quote(key, file)}:${quote(metadata[key], file)}`).join()}}`)
  }
  let offset = 0
  for (const { name, tensor } of sorted) {
    checkView(name, tensor, file)
    const { dtype, shape, data } = tensor
    const info = JSON.stringify({ dtype, shape, data_offsets: [offset, (offset += data.byteLength)] })
    fields.push(`${quote(name, file)}:${info}`)
  }
  return [makeHeader(`{${fields.join()}}`, file), ...sorted.map(({ tensor }) => tensor.data)]
}

function makeHeader(json: string, file: string): Uint8Array {
  const text = Buffer.from(json)
  const length = Math.ceil(text.byteLength / 8) * 8
  const header = Buffer.alloc(lengthBytes + length, ' ')
  header.writeBigUInt64LE(BigInt(length))
  header.set(text, lengthBytes)
  headerLength(header, header.byteLength, file)
  return header
}

function checkView(name: string, tensor: StoredTensor, file: string) {
  const { dtype, shape, data } = tensor
  const wrong = (problem: string) => new SafetensorsError('InvalidTensorView', file, problem, name)
  if (name === '__metadata__') throw wrong('a tensor cannot have this name')
  if (!Object.hasOwn(dtypeBytes, dtype)) throw wrong(`dtype ${dtype} is none of ${Object.keys(dtypeBytes).join(', ')}`)
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw wrong(`shape [${shape}] is no list of sizes`)
  const bytes = tensorBytes(tensor)
  if (bytes !== BigInt(data.byteLength)) {
    throw wrong(`${dtype} of shape [${shape}] takes ${bytes} bytes, its data has ${data.byteLength}`)
  }
}

function quote(text: string, file: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new SafetensorsError('InvalidTensorView', file, 'a name is no valid Unicode', text)
  return JSON.stringify(text)
}
