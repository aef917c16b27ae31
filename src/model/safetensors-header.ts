import { isUtf8 } from 'node:buffer'
import { readValue, type StrictJson } from '../files/strict-json.ts'
import { StrictJsonError, StrictJsonScanner } from '../files/strict-json-scanner.ts'
import { LatheError } from '../settings/error.ts'
import { dtypeBytes, type StoredDtype, type StoredTensor } from './stored-tensor.ts'

/**
 * What can be wrong with a safetensors file. The names are those of the Rust crate (safetensors 0.8) where it has one;
 * it tells InvalidOffset, MetadataIncompleteBuffer and InvalidHeaderDeserialization less finely apart.
 */
export type SafetensorsFault =
  | 'HeaderTooSmall' // no room for the 8 bytes of the header's length
  | 'HeaderTooLarge' // more than 100,000,000 bytes
  | 'InvalidHeaderLength' // the header would end after the file
  | 'InvalidHeader' // no UTF-8
  | 'InvalidHeaderDeserialization' // no JSON, or not of the right form
  | 'DuplicateKey' // the crate keeps the last tensor or metadata of a name; here it is an error
  | 'TooManyNames' // more than 131,072 tensors or metadata keys; the crate has no limit
  | 'UnknownDtype' // the crate has more dtypes
  | 'InvalidShape' // not a list of at most 64 sizes from 0 to 2^53 - 1; the crate goes to 2^64 - 1 and has no limit
  | 'InvalidOffset' // ends before it begins
  | 'Overlap'
  | 'Hole'
  | 'ValidationOverflow' // the shape's size is beyond 64 bits
  | 'TensorInvalidInfo' // the offsets do not span what shape and dtype say
  | 'Truncated'
  | 'TrailingBytes'
  | 'InvalidTensorView' // to be written: data, shape, dtype or name do not fit
  | 'TensorNotFound'
  | 'InvalidIndex' // of a sharded model: no JSON, or not of the right form
  | 'InvalidShardPath' // not the name of a file in the model's folder
  | 'MissingShard'
  | 'MissingTensor' // the index says that it is in the shard
  | 'UnlistedTensor' // in a shard, but not in the index
  | 'RepeatedTensor' // in another shard than the index says
  | 'IoError'

/** A safetensors file that cannot be read or written: which file and tensor, what is wrong, and what would be right. */
export class SafetensorsError extends LatheError {
  constructor(
    readonly fault: SafetensorsFault,
    readonly file: string,
    problem: string,
    readonly tensor?: string,
  ) {
    super(`${file}: ${tensor === undefined ? '' : `tensor ${quoteName(tensor)}: `}${problem}`)
  }
}

/** A name in quotes, on one line, cut where it is very long. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}

/** Where a tensor lies: `begin` and `end` count from the first byte after the header. */
export interface HeaderEntry {
  readonly name: string
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

export interface Header {
  /** In the order of their bytes. */
  readonly entries: readonly HeaderEntry[]
  readonly metadata: Record<string, string>
}

export const lengthBytes = 8
const maxHeaderBytes = 100_000_000
const maxNames = 1 << 17 // with the next two, what bounds the memory that a header can take
const maxFieldBytes = 4096
const maxRank = 64
const beyond64Bits = 1n << 64n

/** The header's length from the first bytes of a file that is `fileBytes` long; nothing is allocated for a false one. */
export function headerLength(start: Uint8Array, fileBytes: number, file: string): number {
  if (start.byteLength < lengthBytes) {
    const problem = `it has ${start.byteLength} bytes, too few for a header length of ${lengthBytes}`
    throw new SafetensorsError('HeaderTooSmall', file, problem)
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true)
  if (length > maxHeaderBytes) {
    throw new SafetensorsError(
      'HeaderTooLarge',
      file,
      `its header claims ${length} bytes, at most ${maxHeaderBytes} may be`,
    )
  }
  if (Number(length) > fileBytes - lengthBytes) {
    const problem = `its header claims ${length} bytes, the file has ${fileBytes - lengthBytes} after the length`
    throw new SafetensorsError('InvalidHeaderLength', file, problem)
  }
  return Number(length)
}

/**
 * Reads and checks a header whose tensors must fill `bodyBytes` exactly, in one pass over its bytes: what is not needed
 * is checked but never held. Throws a SafetensorsError.
 */
export function parseHeader(header: Uint8Array, bodyBytes: number, file: string): Header {
  if (!isUtf8(header)) throw new SafetensorsError('InvalidHeader', file, 'its header is not UTF-8')
  try {
    const scanner = new StrictJsonScanner(header)
    const { entries, metadata } = readRoot(scanner, file)
    scanner.end()
    entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
    checkCover(entries, bodyBytes, file)
    return { entries, metadata }
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    if (error.kind === 'duplicate') throw new SafetensorsError('DuplicateKey', file, `in its header ${error.message}`)
    const problem = `its header is no JSON: ${error.message} at character ${error.offset}`
    throw new SafetensorsError('InvalidHeaderDeserialization', file, problem)
  }
}

function readRoot(scanner: StrictJsonScanner, file: string) {
  const entries: HeaderEntry[] = []
  let metadata = readMetadata(undefined, file)
  if (!nextIsObject(scanner)) {
    throw new SafetensorsError('InvalidHeaderDeserialization', file, 'its header is no JSON object')
  }
  readNames(scanner, file, (name) => {
    if (name === '__metadata__') metadata = readMetadata(scanner, file)
    else entries.push(readEntry(name, readInfo(name, scanner, file), file))
  })
  return { entries, metadata }
}

/** Whether an object comes next; whatever else comes is checked for being JSON at all. */
function nextIsObject(scanner: StrictJsonScanner): boolean {
  if (scanner.peek() === 0x7b) return true
  scanner.skip()
  return false
}

/** Goes through an object whose keys are all kept. */
function readNames(scanner: StrictJsonScanner, file: string, visit: (name: string) => void) {
  const names = new Set<string>()
  scanner.object((name, start) => {
    if (names.has(name)) scanner.fail(`the key ${quoteName(name)} appears twice`, 'duplicate', start)
    if (names.add(name).size > maxNames) {
      throw new SafetensorsError('TooManyNames', file, `an object of its header has more than ${maxNames} keys`)
    }
    visit(name)
  })
}

function readMetadata(scanner: StrictJsonScanner | undefined, file: string): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null) // so that a key `__proto__` is a key like any other
  if (scanner === undefined || isNull(scanner)) return metadata
  if (!nextIsObject(scanner)) {
    throw new SafetensorsError('InvalidHeaderDeserialization', file, '__metadata__ is no object')
  }
  readNames(scanner, file, (key) => {
    if (scanner.peek() !== 0x22) {
      scanner.skip()
      const problem = `__metadata__ ${quoteName(key)} is no text`
      throw new SafetensorsError('InvalidHeaderDeserialization', file, problem)
    }
    metadata[key] = scanner.string()
  })
  return metadata
}

function isNull(scanner: StrictJsonScanner): boolean {
  return scanner.peek() === 0x6e && scanner.word() === null
}

const fields = ['dtype', 'shape', 'data_offsets']

/** The three fields of a tensor, null where its value is no object; further fields are passed over. */
function readInfo(name: string, scanner: StrictJsonScanner, file: string): Map<string, StrictJson> | null {
  if (!nextIsObject(scanner)) return null
  const info = new Map<string, StrictJson>()
  scanner.object((key, keyStart) => {
    if (info.has(key)) scanner.fail(`the key ${quoteName(key)} appears twice`, 'duplicate', keyStart)
    scanner.peek()
    const start = scanner.at
    scanner.skip()
    if (!fields.includes(key)) return
    const bytes = scanner.at - start
    if (bytes > maxFieldBytes) {
      const problem = `${key} is ${bytes} bytes long, at most ${maxFieldBytes} may be`
      throw new SafetensorsError('InvalidHeaderDeserialization', file, problem, name)
    }
    scanner.at = start
    info.set(key, readValue(scanner))
  })
  return info
}

function readEntry(name: string, info: Map<string, StrictJson> | null, file: string): HeaderEntry {
  const wrong = (fault: SafetensorsFault, problem: string) => new SafetensorsError(fault, file, problem, name)
  if (info === null) throw wrong('InvalidHeaderDeserialization', 'it is no object')
  for (const field of fields) {
    if (!info.has(field)) throw wrong('InvalidHeaderDeserialization', `${field} is missing`)
  }
  const dtype = info.get('dtype')
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBytes, dtype)) {
    throw wrong('UnknownDtype', `dtype ${show(dtype)} is none of ${Object.keys(dtypeBytes).join(', ')}`)
  }
  const shape = info.get('shape')
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isSize)) {
    throw wrong('InvalidShape', `shape ${show(shape)} is no list of at most ${maxRank} sizes from 0 to 2^53 - 1`)
  }
  const offsets = info.get('data_offsets')
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw wrong('InvalidHeaderDeserialization', `data_offsets ${show(offsets)} are no two byte positions`)
  }
  const [begin, end] = offsets.map(Number)
  if (end < begin) throw wrong('InvalidOffset', `it ends at byte ${end}, before it begins at ${begin}`)
  const entry = { name, dtype: dtype as StoredDtype, shape: shape.map(Number), begin, end }
  const bytes = tensorBytes(entry)
  if (bytes >= beyond64Bits) throw wrong('ValidationOverflow', `shape ${show(shape)} is beyond 64 bits`)
  if (bytes !== BigInt(end - begin)) {
    throw wrong('TensorInvalidInfo', `${dtype} of shape ${show(shape)} takes ${bytes} bytes, it has ${end - begin}`)
  }
  return entry
}

function isSize(value: StrictJson): value is bigint {
  return typeof value === 'bigint' && value >= 0n && value <= Number.MAX_SAFE_INTEGER
}

/** Bytes that shape and dtype take; 2^64 when a partial product is beyond 64 bits, as the crate's checked product. */
export function tensorBytes({ shape, dtype }: Pick<StoredTensor, 'shape' | 'dtype'>): bigint {
  let bytes = BigInt(dtypeBytes[dtype])
  for (const size of shape) if ((bytes *= BigInt(size)) >= beyond64Bits) return beyond64Bits
  return bytes
}

/** The tensors, in the order of their bytes, must follow one another from 0 to the end. */
function checkCover(entries: readonly HeaderEntry[], bodyBytes: number, file: string) {
  let covered = 0
  for (const { name, begin, end } of entries) {
    if (begin !== covered) {
      const [fault, what] =
        begin < covered ? (['Overlap', 'overlaps'] as const) : (['Hole', 'leaves a hole after'] as const)
      throw new SafetensorsError(
        fault,
        file,
        `it begins at byte ${begin} and ${what} the tensor that ends at ${covered}`,
        name,
      )
    }
    covered = end
  }
  if (covered > bodyBytes) {
    const cut = entries.find(({ end }) => end > bodyBytes)!
    throw new SafetensorsError(
      'Truncated',
      file,
      `it ends at byte ${cut.end} of the data, the file has ${bodyBytes}`,
      cut.name,
    )
  }
  if (covered < bodyBytes) {
    throw new SafetensorsError(
      'TrailingBytes',
      file,
      `${bodyBytes - covered} bytes after the last tensor belong to none`,
    )
  }
}

function show(value: StrictJson | undefined): string {
  if (value instanceof Map) return 'an object'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  const text = Array.isArray(value) ? `[${value.slice(0, 8).map(show).join(', ')}]` : String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
