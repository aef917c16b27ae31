import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { findTensor, parseSafetensors, readSafetensors, safetensorsChunks, writeSafetensors } from './safetensors.ts'
import { SafetensorsError, type SafetensorsFault } from './safetensors-header.ts'
import { fromFloat32, type StoredDtype, type StoredTensor, toFloat32, toInt32 } from './stored-tensor.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Written by the Python package safetensors 0.8.0: every dtype here but BF16, and names that are traps. */
const published = Buffer.from(
  '4AIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJpIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRz' +
    'IjpbMCwxNl19LCJfX3Byb3RvX18iOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsxNiwyMF19LCJhw6lcIn9cdTAw' +
    'MDHigKgvIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMjAsMjRdfSwiYiI6eyJkdHlwZSI6IkYzMiIsInNoYXBl' +
    'IjpbMl0sImRhdGFfb2Zmc2V0cyI6WzI0LDMyXX0sImVtcHR5Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDBdLCJkYXRhX29mZnNldHMiOlsz' +
    'MiwzMl19LCJzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlszMiwzNl19LCLvv64iOnsiZHR5cGUiOiJGMzIiLCJz' +
    'aGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlszNiw0MF19LCLwn5iAIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpb' +
    'NDAsNDRdfSwiaiI6eyJkdHlwZSI6IkkzMiIsInNoYXBlIjpbMSwyXSwiZGF0YV9vZmZzZXRzIjpbNDQsNTJdfSwiaGFsZiI6eyJkdHlwZSI6IkYx' +
    'NiIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzUyLDU4XX0sInUiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6' +
    'WzU4LDYxXX0sImJvIjp7ImR0eXBlIjoiQk9PTCIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzYxLDYzXX19ICAgICAg//////////8AAAAA' +
    'AAEAAAAAEEEAAEBAAADAPwAAAMAAAEBAAAAAAAAAAAAHAAAA+f///wA8/3sBAP8AAQEA',
  'base64',
)

function bytesOf(header: string | Uint8Array, body: number | Uint8Array = 0, length?: number | bigint): Uint8Array {
  const text = Buffer.from(header)
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(BigInt(length ?? text.byteLength))
  return Buffer.concat([start, text, typeof body === 'number' ? Buffer.alloc(body) : body])
}

function refusal(bytes: Uint8Array): SafetensorsError {
  try {
    parseSafetensors(bytes, 'w.safetensors')
  } catch (error) {
    if (error instanceof SafetensorsError) return error
    throw error
  }
  throw new Error('accepted')
}

const tensor = (shape: string, offsets: string, dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`
const one = tensor('[1]', '[0,4]')

describe('reading', () => {
  it('reads what the Python package wrote', () => {
    const file = parseSafetensors(published, 'published')
    expect({ ...file.metadata }).toEqual({ format: 'pt' })
    const names = ['i', '__proto__', 'aé"\x7f\x01\u2028/', 'b', 'empty', 's', '\uffee', '😀', 'j', 'half', 'u', 'bo']
    expect([...file.tensors.keys()]).toEqual(names)
    expect(toFloat32(findTensor(file, 'b'))).toEqual(Float32Array.of(1.5, -2))
    expect(toFloat32(findTensor(file, 'half'))).toEqual(Float32Array.of(1, 65504, 2 ** -24))
    expect(toInt32(findTensor(file, 'j'))).toEqual(Int32Array.of(7, -7))
    expect(findTensor(file, 's').shape).toEqual([])
    expect(findTensor(file, 'empty').shape).toEqual([2, 0])
    expect(() => toInt32(findTensor(file, 'i'), 'i')).toThrow('i holds 1099511627776 at element 1')
  })

  it('reads the same from a file, in reads of any grouping', async () => {
    const path = join(folder, 'published.safetensors')
    await writeFile(path, published)
    expect((await readSafetensors(path)).tensors).toEqual(
      new Map(
        Array.from(parseSafetensors(published, path).tensors, ([name, t]) => [
          name,
          { ...t, data: Uint8Array.from(t.data) },
        ]),
      ),
    )
  })

  it('accepts what the format allows', () => {
    const accepted = (header: string, body = 4) => [...parseSafetensors(bytesOf(header, body), 'x').tensors.keys()]
    expect(accepted('{}', 0)).toEqual([])
    expect(accepted(` \n{"a":${one}}\t `)).toEqual(['a'])
    expect(accepted(`{"__metadata__":null,"a":${one}}`)).toEqual(['a'])
    expect(accepted(`{"a":{"later":[1,{"x":null}],${one.slice(1)}}`)).toEqual(['a'])
    expect(
      accepted(`{"c":${tensor('[0]', '[4,4]')},"b":${tensor('[]', '[0,4]')},"a":${tensor('[0]', '[0,0]')}}`),
    ).toEqual(['a', 'b', 'c'])
  })

  it('leaves prototypes alone, whatever the names', () => {
    const file = parseSafetensors(
      bytesOf(
        `{"__metadata__":{"__proto__":"p","constructor":"c"},"__proto__":${one},"constructor":${tensor('[0]', '[4,4]')}}`,
        4,
      ),
      'x',
    )
    expect([...file.tensors.keys()]).toEqual(['__proto__', 'constructor'])
    expect(Object.keys(file.metadata)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })

  const manyNames = Array.from({ length: 131_073 }, (_, i) => `"${i}":""`)
  const overflow = '[4294967296,4294967296,0]'
  it.each<[SafetensorsFault, string, Uint8Array]>([
    ['HeaderTooSmall', 'it has 0 bytes', new Uint8Array()],
    ['HeaderTooSmall', 'it has 7 bytes', new Uint8Array(7)],
    ['HeaderTooLarge', 'claims 100000001 bytes', bytesOf('{}', 0, 100_000_001)],
    ['HeaderTooLarge', 'claims 18446744073709551615 bytes', bytesOf('{}', 0, 2n ** 64n - 1n)],
    ['InvalidHeaderLength', 'claims 5 bytes, the file has 2', bytesOf('{}', 0, 5)],
    ['InvalidHeader', 'not UTF-8', bytesOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22))],
    ['InvalidHeader', 'not UTF-8', bytesOf(Uint8Array.of(0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22))],
    ['InvalidHeaderDeserialization', 'ends too early at character 0', bytesOf('')],
    ['InvalidHeaderDeserialization', 'at character 5', bytesOf('{"a":}')],
    ['InvalidHeaderDeserialization', 'no JSON', bytesOf(`\ufeff{"a":${one}}`, 4)],
    ['InvalidHeaderDeserialization', 'no JSON object', bytesOf('[]')],
    ['InvalidHeaderDeserialization', 'no JSON object', bytesOf('null')],
    ['InvalidHeaderDeserialization', '__metadata__ is no object', bytesOf('{"__metadata__":[]}')],
    ['InvalidHeaderDeserialization', '__metadata__ "x" is no text', bytesOf('{"__metadata__":{"x":1}}')],
    ['InvalidHeaderDeserialization', 'tensor "a": it is no object', bytesOf('{"a":[]}')],
    [
      'InvalidHeaderDeserialization',
      'tensor "a": dtype is missing',
      bytesOf('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4),
    ],
    ['InvalidHeaderDeserialization', 'tensor "a": data_offsets [0]', bytesOf(`{"a":${tensor('[1]', '[0]')}}`, 4)],
    [
      'InvalidHeaderDeserialization',
      'tensor "a": data_offsets [0, 4, 4]',
      bytesOf(`{"a":${tensor('[1]', '[0,4,4]')}}`, 4),
    ],
    [
      'InvalidHeaderDeserialization',
      'tensor "a": data_offsets [-4, 0]',
      bytesOf(`{"a":${tensor('[1]', '[-4,0]')}}`, 4),
    ],
    [
      'InvalidHeaderDeserialization',
      'tensor "a": data_offsets [0, 4.5]',
      bytesOf(`{"a":${tensor('[1]', '[0,4.5]')}}`, 4),
    ],
    ['DuplicateKey', 'the key "a" appears twice', bytesOf(`{"a":${one},"a":${one}}`, 4)],
    ['DuplicateKey', 'the key "dtype" appears twice', bytesOf(`{"a":{"dtype":"F32",${one.slice(1)}}`, 4)],
    ['DuplicateKey', 'the key "__metadata__" appears twice', bytesOf('{"__metadata__":{},"__metadata__":{}}')],
    [
      'UnknownDtype',
      'tensor "a": dtype "F64" is none of I64, F32',
      bytesOf(`{"a":${tensor('[1]', '[0,8]', '"F64"')}}`, 8),
    ],
    ['UnknownDtype', 'tensor "a": dtype "f32"', bytesOf(`{"a":${tensor('[1]', '[0,4]', '"f32"')}}`, 4)],
    ['UnknownDtype', 'tensor "a": dtype "constructor"', bytesOf(`{"a":${tensor('[1]', '[0,4]', '"constructor"')}}`, 4)],
    ['UnknownDtype', 'tensor "a": dtype an object', bytesOf(`{"a":${tensor('[1]', '[0,4]', '{"F32":null}')}}`, 4)],
    ['InvalidShape', 'tensor "a": shape [-1]', bytesOf(`{"a":${tensor('[-1]', '[0,4]')}}`, 4)],
    ['InvalidShape', 'tensor "a": shape [1.5]', bytesOf(`{"a":${tensor('[1.5]', '[0,6]')}}`, 6)],
    ['InvalidShape', 'tensor "a": shape [1]', bytesOf(`{"a":${tensor('[1.0]', '[0,4]')}}`, 4)],
    [
      'InvalidShape',
      'tensor "a": shape [0, 9007199254740992]',
      bytesOf(`{"a":${tensor('[0,9007199254740992]', '[0,0]')}}`),
    ],
    ['InvalidShape', 'tensor "a": shape 1', bytesOf(`{"a":${tensor('1', '[0,4]')}}`, 4)],
    ['InvalidShape', 'tensor "a": shape ["1"]', bytesOf(`{"a":${tensor('["1"]', '[0,4]')}}`, 4)],
    [
      'InvalidShape',
      'tensor "a": shape [1, 1, 1, 1, 1, 1, 1, 1] is no list of at most 64 sizes',
      bytesOf(`{"a":${tensor(`[1${',1'.repeat(64)}]`, '[0,4]')}}`, 4),
    ],
    [
      'InvalidHeaderDeserialization',
      'tensor "a": shape is 5003 bytes long, at most 4096 may be',
      bytesOf(`{"a":${tensor(`[${' '.repeat(5000)}1]`, '[0,4]')}}`, 4),
    ],
    ['TooManyNames', 'more than 131072 keys', bytesOf(`{"__metadata__":{${manyNames}}}`)],
    ['ValidationOverflow', 'tensor "a": shape [4294967296', bytesOf(`{"a":${tensor(overflow, '[0,0]')}}`)],
    [
      'TensorInvalidInfo',
      'tensor "a": F32 of shape [2] takes 8 bytes, it has 4',
      bytesOf(`{"a":${tensor('[2]', '[0,4]')}}`, 4),
    ],
    ['TensorInvalidInfo', 'tensor "a": F32 of shape [] takes 4 bytes', bytesOf(`{"a":${tensor('[]', '[0,8]')}}`, 8)],
    ['InvalidOffset', 'tensor "a": it ends at byte 0, before', bytesOf(`{"a":${tensor('[1]', '[4,0]')}}`, 4)],
    ['Overlap', 'tensor "b": it begins at byte 2', bytesOf(`{"a":${one},"b":${tensor('[1]', '[2,6]')}}`, 6)],
    ['Overlap', 'tensor "b": it begins at byte 0', bytesOf(`{"a":${one},"b":${one}}`, 4)],
    ['Hole', 'tensor "a": it begins at byte 4', bytesOf(`{"a":${tensor('[1]', '[4,8]')}}`, 8)],
    ['Hole', 'tensor "b": it begins at byte 8', bytesOf(`{"a":${one},"b":${tensor('[1]', '[8,12]')}}`, 12)],
    ['Truncated', 'tensor "a": it ends at byte 4 of the data, the file has 3', bytesOf(`{"a":${one}}`, 3)],
    ['TrailingBytes', '1 bytes after the last tensor', bytesOf(`{"a":${one}}`, 5)],
  ])('refuses with %s: %s', (fault, message, bytes) => {
    const error = refusal(bytes)
    expect(error).toBeInstanceOf(LatheError)
    expect(error.fault).toBe(fault)
    expect(error.message).toMatch(/^w\.safetensors: [^\n]*$/)
    expect(error.message).toContain(message)
    expect(error.tensor).toBe(/tensor "(\w+)"/.exec(message)?.[1])
  })

  it('cuts a name that would fill the screen', () => {
    const { message, tensor } = refusal(bytesOf(`{"${'n'.repeat(100_000)}":1}`))
    expect(message).toBe(`w.safetensors: tensor "${'n'.repeat(200)}…": it is no object`)
    expect(tensor).toHaveLength(100_000)
  })

  it('refuses a file that is cut at any byte, or one byte too long', async () => {
    const path = join(folder, 'cut.safetensors')
    for (let length = 0; length < published.byteLength; length += 7) {
      await writeFile(path, published.subarray(0, length))
      await expect(readSafetensors(path)).rejects.toBeInstanceOf(SafetensorsError)
    }
    for (let length = 0; length < published.byteLength; length++) refusal(published.subarray(0, length))
    expect(refusal(Buffer.concat([published, Buffer.alloc(1)])).fault).toBe('TrailingBytes')
  })

  it('names what stands in the way of reading', async () => {
    await expect(readSafetensors(join(folder, 'none'))).rejects.toMatchObject({
      fault: 'IoError',
      message: /no such file/,
    })
    await expect(readSafetensors(folder)).rejects.toMatchObject({ fault: 'IoError', message: /it is no file/ })
  })

  it('suggests the nearest name for a tensor that is not there', () => {
    const file = parseSafetensors(bytesOf(`{"lm_head.weight":${one}}`, 4), 'w.safetensors')
    expect(() => findTensor(file, 'lm_head.weigth')).toThrow(
      'w.safetensors: tensor "lm_head.weigth": it is not there: did you mean "lm_head.weight"?',
    )
  })

  it('takes memory for the bytes of the file once, and none for what a header claims', async () => {
    const path = join(folder, 'large.safetensors')
    const values = new Float32Array(8 << 20)
    await writeSafetensors(path, new Map(['a', 'b', 'c'].map((name) => [name, fromFloat32([values.length], values)])))
    const before = process.memoryUsage().arrayBuffers
    const file = await readSafetensors(path)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * values.byteLength + (4 << 20))
    expect(file.tensors.size).toBe(3)
    await writeFile(path, bytesOf(`{"a":${tensor('[1099511627776]', '[0,4398046511104]')}}`, 8))
    await expect(readSafetensors(path)).rejects.toMatchObject({ fault: 'Truncated' })
  })
})

describe('mutations', () => {
  const tokens = [
    '"F32"',
    '"F16"',
    '"shape"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-1',
    '0',
    '1e9',
    '99999999999999999999',
    '\\',
    '"',
  ]
  const edit = fc.oneof(
    fc.record({ at: fc.nat(900), byte: fc.nat(255) }),
    fc.record({ at: fc.nat(900), insert: fc.constantFrom(...tokens) }),
    fc.record({ at: fc.nat(900), remove: fc.integer({ min: 1, max: 20 }) }),
  )

  it('end in the named error or in a consistent file', () => {
    const faults = new Set<string>()
    let accepted = 0
    const mutate = (bytes: Uint8Array, change: { at: number; byte?: number; insert?: string; remove?: number }) => {
      const at = change.at % bytes.byteLength
      const middle = change.byte !== undefined ? Buffer.of(change.byte) : Buffer.from(change.insert ?? '')
      const rest = bytes.subarray(at + (change.byte !== undefined ? 1 : (change.remove ?? 0)))
      return Buffer.concat([bytes.subarray(0, at), middle, rest])
    }
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.boolean(), (edits, repairLength) => {
        const bytes = edits.reduce(mutate, published as Uint8Array)
        // half of them get a header length that fits again, so that the mutation reaches deeper checks
        if (repairLength)
          Buffer.from(bytes.buffer, bytes.byteOffset).writeUInt32LE(Math.max(0, bytes.byteLength - 8 - 63))
        try {
          const file = parseSafetensors(bytes, 'x')
          const total = [...file.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
          const header = Number(Buffer.from(bytes).readBigUInt64LE())
          expect(total).toBe(bytes.byteLength - 8 - header)
          accepted++
        } catch (error) {
          if (!(error instanceof SafetensorsError)) throw error
          faults.add(error.fault)
        }
      }),
      { seed: 7, numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(50)
    expect(faults.size).toBeGreaterThanOrEqual(10)
  })
})

describe('writing', () => {
  const written = (tensors: [string, StoredTensor][], metadata = {}) =>
    Buffer.concat(safetensorsChunks(new Map(tensors), metadata, 'w.safetensors'))

  it('writes what the Python package writes, byte for byte, in whatever order the tensors come', async () => {
    const { tensors, metadata } = parseSafetensors(published, 'published')
    const path = join(folder, 'ours.safetensors')
    const record = await writeSafetensors(path, new Map([...tensors].reverse()), metadata)
    expect(await readFile(path)).toEqual(published)
    expect(record.bytes).toBe(published.byteLength)
  })

  it('aligns the data to 8 bytes and leaves out empty metadata', () => {
    expect(written([]).toString('latin1')).toBe('\x08\0\0\0\0\0\0\0{}      ')
    const bytes = written([['a', fromFloat32([1], Float32Array.of(1))]])
    expect(bytes.readUInt32LE() % 8).toBe(0)
  })

  it('writes over a file that is held by a reader, who keeps the old one', async () => {
    const path = join(folder, 'held.safetensors')
    const version = (value: number) => new Map([['a', fromFloat32([1], Float32Array.of(value))]])
    await writeSafetensors(path, version(1))
    const old = await readSafetensors(path)
    await writeSafetensors(path, version(2))
    expect(toFloat32(findTensor(old, 'a'))[0]).toBe(1)
    expect(toFloat32(findTensor(await readSafetensors(path), 'a'))[0]).toBe(2)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  const data = new Uint8Array(4)
  it.each<[string, string, StoredTensor]>([
    ['takes 8 bytes, its data has 4', 'a', { dtype: 'F32', shape: [2], data }],
    ['no list of sizes', 'a', { dtype: 'F32', shape: [-1], data }],
    ['no list of sizes', 'a', { dtype: 'F32', shape: [0.5], data }],
    ['dtype F64 is none of', 'a', { dtype: 'F64' as StoredDtype, shape: [1], data }],
    ['cannot have this name', '__metadata__', { dtype: 'F32', shape: [1], data }],
    ['no valid Unicode', '\ud800', { dtype: 'F32', shape: [1], data }],
  ])('refuses a tensor that does not fit: %s', async (message, name, wrong) => {
    const path = join(folder, 'never.safetensors')
    await expect(writeSafetensors(path, new Map([[name, wrong]]))).rejects.toMatchObject({
      fault: 'InvalidTensorView',
      message: expect.stringContaining(message),
    })
    expect(await readdir(folder)).not.toContain('never.safetensors')
  })

  it('names the path when there is no folder to write to', async () => {
    const path = join(folder, 'none', 'w.safetensors')
    await expect(writeSafetensors(path, new Map())).rejects.toMatchObject({ fault: 'IoError', file: path })
  })
})
