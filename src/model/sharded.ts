import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ioReason, isGone } from '../files/durable-file.ts'
import { StrictJsonError, StrictJsonScanner } from '../files/strict-json-scanner.ts'
import { readSafetensors, type Safetensors } from './safetensors.ts'
import { quoteName, SafetensorsError } from './safetensors-header.ts'
import type { StoredTensor } from './stored-tensor.ts'

/** The tensors of a model, and the file that lists them. */
export type ModelTensors = Pick<Safetensors, 'file' | 'tensors'>

const single = 'model.safetensors'
const maxNames = 1 << 19 // of all shards together; with the next, what bounds the memory of an index
const maxIndexBytes = 100_000_000 // as a safetensors header

/**
 * Reads the weights in a model's folder: `model.safetensors`, or else the shards that `model.safetensors.index.json`
 * lists (the form of Hugging Face: `weight_map` gives every tensor the name of its file). Index and shards must agree
 * tensor by tensor; `metadata.total_size` is not used, for published indexes are wrong about it.
 * Throws a SafetensorsError that names file and tensor.
 */
export async function readModelTensors(folder: string): Promise<ModelTensors> {
  const index = join(folder, `${single}.index.json`)
  if ((await exists(join(folder, single))) || !(await exists(index))) return readSafetensors(join(folder, single))
  const weightMap = parseIndex(await readIndex(index), index)
  const tensors = new Map<string, StoredTensor>()
  for (const shard of new Set(weightMap.values())) {
    const path = join(folder, shard)
    if (!(await exists(path))) {
      const [name] = [...weightMap].find(([, file]) => file === shard)!
      throw new SafetensorsError('MissingShard', index, `its shard ${shard} is missing`, name)
    }
    const read = await readSafetensors(path)
    checkShard(shard, read, weightMap, index)
    for (const [name, tensor] of read.tensors) tensors.set(name, tensor)
  }
  return { file: index, tensors }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => !isGone(error), // what cannot be looked at is not passed over
  )
}

async function readIndex(index: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(index)
    if (size > maxIndexBytes) {
      throw new SafetensorsError('InvalidIndex', index, `it has ${size} bytes, at most ${maxIndexBytes} may be`)
    }
    return await readFile(index)
  } catch (error) {
    if (error instanceof SafetensorsError) throw error
    throw new SafetensorsError('IoError', index, `cannot read it: ${ioReason(error)}`)
  }
}

/** The shard of every tensor. */
function parseIndex(bytes: Uint8Array, index: string): Map<string, string> {
  if (!isUtf8(bytes)) throw new SafetensorsError('InvalidIndex', index, 'it is not UTF-8')
  const scanner = new StrictJsonScanner(bytes)
  let weightMap: Map<string, string> | undefined
  try {
    scanner.object((key, start) => {
      if (key !== 'weight_map') return scanner.skip()
      if (weightMap !== undefined) scanner.fail('the key "weight_map" appears twice', 'duplicate', start)
      weightMap = readWeightMap(scanner, index)
    })
    scanner.end()
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new SafetensorsError('InvalidIndex', index, `it is no JSON: ${error.message} at character ${error.offset}`)
  }
  if (weightMap === undefined) throw new SafetensorsError('InvalidIndex', index, 'weight_map is missing')
  if (weightMap.size === 0) throw new SafetensorsError('InvalidIndex', index, 'weight_map is empty')
  return weightMap
}

function readWeightMap(scanner: StrictJsonScanner, index: string): Map<string, string> {
  const weightMap = new Map<string, string>()
  const shards = new Map<string, string>() // so that every shard's name is held once
  scanner.object((name) => {
    if (scanner.peek() !== 0x22) throw new SafetensorsError('InvalidIndex', index, 'its file is no text', name)
    const shard = scanner.string()
    if (weightMap.has(name)) {
      const problem = `weight_map lists it twice, in ${weightMap.get(name)} and in ${quoteName(shard)}`
      throw new SafetensorsError('DuplicateKey', index, problem, name)
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no name of a file has them
    if (!/^[^/\\:\0-\x1f]+\.safetensors$/.test(shard) || shard.length > 255) {
      const problem = `its file ${quoteName(shard)} is no name of a .safetensors file in this folder`
      throw new SafetensorsError('InvalidShardPath', index, problem, name)
    }
    if (!shards.has(shard)) shards.set(shard, shard)
    weightMap.set(name, shards.get(shard)!)
    if (weightMap.size > maxNames) {
      throw new SafetensorsError('TooManyNames', index, `weight_map has more than ${maxNames} tensors`)
    }
  })
  return weightMap
}

/** A shard must hold exactly the tensors that the index gives it. */
function checkShard(
  shard: string,
  { file, tensors }: Safetensors,
  weightMap: ReadonlyMap<string, string>,
  index: string,
) {
  for (const name of tensors.keys()) {
    const listed = weightMap.get(name)
    if (listed === undefined) throw new SafetensorsError('UnlistedTensor', file, `${index} does not list it`, name)
    if (listed !== shard) {
      throw new SafetensorsError('RepeatedTensor', file, `${index} says that it is in ${listed}`, name)
    }
  }
  for (const [name, listed] of weightMap) {
    if (listed === shard && !tensors.has(name)) {
      throw new SafetensorsError('MissingTensor', file, `it is not there, but ${index} says so`, name)
    }
  }
}
