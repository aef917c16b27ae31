import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { modelConfig } from './config.ts'
import { loadModel, saveModel } from './model-folder.ts'
import { initialParameters } from './parameters.ts'
import { writeSafetensors } from './safetensors.ts'
import { SafetensorsError, type SafetensorsFault } from './safetensors-header.ts'
import { readModelTensors } from './sharded.ts'
import { fromFloat32, toFloat32 } from './stored-tensor.ts'

const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
const indexName = 'model.safetensors.index.json'
const listed = { a: first, b: first, c: second }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-sharded-'))
  await writeShard(first, 'a', 'b')
  await writeShard(second, 'c')
  await writeIndex(listed)
})
afterEach(() => rm(folder, { recursive: true }))

const valuesOf = (name: string) => Float32Array.of(name.charCodeAt(0))
const writeShard = (file: string, ...names: string[]) =>
  writeSafetensors(join(folder, file), new Map(names.map((name) => [name, fromFloat32([1], valuesOf(name))])))
const writeIndex = (weight_map: unknown) =>
  writeText(JSON.stringify({ metadata: { total_size: 12 }, weight_map }, null, 2))
const writeText = (text: string | Uint8Array) => writeFile(join(folder, indexName), text)

async function refusal(): Promise<SafetensorsError> {
  const error = await readModelTensors(folder).then(
    () => expect.fail('it was read'),
    (error) => error,
  )
  expect(error).toBeInstanceOf(SafetensorsError)
  expect(error.message).toMatch(/^[^\n]+$/)
  return error
}

describe('readModelTensors', () => {
  it('reads all shards of an index', async () => {
    const { file, tensors } = await readModelTensors(folder)
    expect(file).toBe(join(folder, indexName))
    expect([...tensors.keys()]).toEqual(['a', 'b', 'c'])
    for (const [name, tensor] of tensors) expect(toFloat32(tensor)).toEqual(valuesOf(name))
  })

  it('prefers model.safetensors, as others do', async () => {
    await writeShard('model.safetensors', 'd')
    const { file, tensors } = await readModelTensors(folder)
    expect(file).toBe(join(folder, 'model.safetensors'))
    expect([...tensors.keys()]).toEqual(['d'])
  })

  it('reads an index without metadata, whatever the names of its tensors', async () => {
    const names = ['__proto__', 'constructor', 'weight_map']
    await writeShard(first, ...names)
    await writeText(`{"weight_map":{${names.map((name) => `"${name}":"${first}"`)}}}`)
    expect([...(await readModelTensors(folder)).tensors.keys()]).toEqual(names)
  })

  it('names model.safetensors where there is neither', async () => {
    await rm(join(folder, indexName))
    expect((await refusal()).message).toBe(
      `${join(folder, 'model.safetensors')}: cannot read it: no such file or folder (ENOENT)`,
    )
  })

  it('refuses a shard that is missing', async () => {
    await rm(join(folder, second))
    const { fault, message } = await refusal()
    expect(fault).toBe('MissingShard')
    expect(message).toBe(`${join(folder, indexName)}: tensor "c": its shard ${second} is missing`)
  })

  it('refuses a shard that is damaged', async () => {
    await writeFile(join(folder, second), 'short')
    expect(await refusal()).toMatchObject({ fault: 'HeaderTooSmall', file: join(folder, second) })
  })

  it('refuses a tensor of the index that is not in its shard', async () => {
    await writeShard(first, 'a')
    const { fault, message } = await refusal()
    expect(fault).toBe('MissingTensor')
    expect(message).toBe(`${join(folder, first)}: tensor "b": it is not there, but ${join(folder, indexName)} says so`)
  })

  it('refuses a tensor of a shard that is not in the index', async () => {
    await writeShard(second, 'c', 'd')
    const { fault, message } = await refusal()
    expect(fault).toBe('UnlistedTensor')
    expect(message).toBe(`${join(folder, second)}: tensor "d": ${join(folder, indexName)} does not list it`)
  })

  it('refuses a tensor that is in two shards', async () => {
    await writeShard(second, 'c', 'a')
    const { fault, message } = await refusal()
    expect(fault).toBe('RepeatedTensor')
    expect(message).toBe(`${join(folder, second)}: tensor "a": ${join(folder, indexName)} says that it is in ${first}`)
  })

  it('refuses a tensor that the index lists twice', async () => {
    await writeText(`{"weight_map":{"a":"${first}","\\u0061":"${second}"}}`)
    const { fault, message } = await refusal()
    expect(fault).toBe('DuplicateKey')
    expect(message).toContain(`tensor "a": weight_map lists it twice, in ${first} and in "${second}"`)
  })

  it.each([
    '../model.safetensors',
    '/etc/model.safetensors',
    'sub/model.safetensors',
    '..\\model.safetensors',
    'C:model.safetensors',
    'model\0.safetensors',
    '..',
    '.',
    '',
    'config.json',
    `${'m'.repeat(300)}.safetensors`,
  ])('refuses the path %j', async (path) => {
    await writeIndex({ ...listed, c: path })
    const { fault, message } = await refusal()
    expect(fault).toBe('InvalidShardPath')
    expect(message).toContain('index.json: tensor "c": its file "')
    expect(message).toContain('is no name of a .safetensors file in this folder')
  })

  const one = `{"a":"${first}"}`
  it.each<[SafetensorsFault, string, string | Uint8Array]>([
    ['InvalidIndex', 'it is no JSON: it ends too early at character 0', ''],
    ['InvalidIndex', 'it is no JSON: expected {', '[]'],
    ['InvalidIndex', 'it is no JSON: expected {', '{"weight_map":["a"]}'],
    ['InvalidIndex', 'it is no JSON: it ends too early', `{"weight_map":${one}`],
    ['InvalidIndex', 'it is no JSON: a character after the end', `{"weight_map":${one}}}`],
    ['InvalidIndex', 'the key "weight_map" appears twice', `{"weight_map":${one},"weight_map":${one}}`],
    ['InvalidIndex', 'it is not UTF-8', Uint8Array.of(0x7b, 0xff)],
    ['InvalidIndex', 'weight_map is missing', '{"metadata":{}}'],
    ['InvalidIndex', 'weight_map is empty', '{"weight_map":{}}'],
    ['InvalidIndex', 'tensor "a": its file is no text', '{"weight_map":{"a":1}}'],
  ])('refuses an index with %s: %s', async (fault, problem, text) => {
    await writeText(text)
    const error = await refusal()
    expect(error).toMatchObject({ fault, file: join(folder, indexName) })
    expect(error.message).toContain(problem)
  })

  it('refuses an index of too many tensors, however short their names', async () => {
    const names = Array.from({ length: (1 << 19) + 1 }, (_, i) => `"${i.toString(36)}":"x.safetensors"`)
    await writeText(`{"weight_map":{${names}}}`)
    expect(await refusal()).toMatchObject({ fault: 'TooManyNames' })
  })
})

it('a model that is cut in shards is the same model', async () => {
  const config = modelConfig({ plan: '1x2', dModel: 8, nHeads: 2, vocabulary: 5, maxLength: 6 })
  const model = { config, parameters: initialParameters(config, 3) }
  await saveModel(folder, model)
  const { tensors } = await readModelTensors(folder)
  const all = [...tensors]
  const parts = { [first]: all.slice(0, 3), [second]: all.slice(3) }
  for (const [file, part] of Object.entries(parts)) await writeSafetensors(join(folder, file), new Map(part))
  await writeIndex(
    Object.fromEntries(Object.entries(parts).flatMap(([file, part]) => part.map(([name]) => [name, file]))),
  )
  await rm(join(folder, 'model.safetensors'))
  const { values, shapes } = (await loadModel(folder)).parameters
  expect({ values, shapes }).toEqual({ values: model.parameters.values, shapes: model.parameters.shapes })
})
