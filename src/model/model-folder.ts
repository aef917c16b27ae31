import { join } from 'node:path'
import { ioReason, replaceFile } from '../files/durable-file.ts'
import { readJsonFile } from '../files/json-file.ts'
import { LatheError } from '../settings/error.ts'
import { fromHuggingFace, type ModelConfig, toHuggingFace } from './config.ts'
import { type ParameterStore, parameterStore } from './parameters.ts'
import { writeSafetensors } from './safetensors.ts'
import { readModelTensors } from './sharded.ts'
import { fromFloat32, toFloat32 } from './stored-tensor.ts'

/** A model: what its weights mean, and the weights. */
export interface Model {
  readonly config: ModelConfig
  readonly parameters: ParameterStore
}

/** Writes `config.json` and `model.safetensors` into a folder that exists. Throws a LatheError where it cannot. */
export async function saveModel(folder: string, { config, parameters }: Model): Promise<void> {
  const path = join(folder, 'config.json')
  const text = `${JSON.stringify(toHuggingFace(config), null, 2)}\n`
  await replaceFile(path, [Buffer.from(text)]).catch((error) => {
    throw new LatheError(`${path}: cannot write it: ${ioReason(error)}`)
  })
  const { values, shapes } = parameters
  const tensors = new Map(Object.entries(values).map(([name, data]) => [name, fromFloat32(shapes[name], data)]))
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' })
}

/** Reads what `saveModel` wrote, or the same in shards with an index. Throws a LatheError that names the file and what is wrong with it. */
export async function loadModel(folder: string): Promise<Model> {
  const path = join(folder, 'config.json')
  const config = fromHuggingFace(await readJsonFile(path), path)
  const { file, tensors } = await readModelTensors(folder)
  const values = Array.from(tensors, ([name, tensor]) => {
    return [name, { shape: tensor.shape, data: toFloat32(tensor, `${file}: ${name}`) }] as const
  })
  return { config, parameters: parameterStore(config, new Map(values), file) }
}
