import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { modelConfig } from './config.ts'
import { loadModel, type Model, saveModel } from './model-folder.ts'
import { initialParameters } from './parameters.ts'

const config = modelConfig({ plan: '1x3', dModel: 16, nHeads: 2, vocabulary: 5, maxLength: 12, initStd: 0.1 })
const model: Model = { config, parameters: initialParameters(config, 1) }
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-model-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('a model folder', () => {
  it('gives back the same model, to the bit', async () => {
    await saveModel(folder, model)
    const { parameters, ...read } = await loadModel(folder)
    expect(read).toEqual({ config })
    expect(parameters).toEqual({ ...model.parameters, version: parameters.version })
  })

  it('names what is missing or wrong', async () => {
    const failure = () =>
      loadModel(folder).then(
        () => expect.fail('it loaded'),
        (error) => error,
      )
    expect(await failure()).toBeInstanceOf(LatheError)
    expect((await failure()).message).toContain(`${join(folder, 'config.json')}: cannot read it`)
    await saveModel(folder, model)
    const path = join(folder, 'config.json')
    const json = await readFile(path, 'utf8')
    await writeFile(path, json.slice(0, -3))
    expect((await failure()).message).toMatch(`${path}: it is no JSON: `)
    await writeFile(
      path,
      json.replaceAll('"plan": "1x3"', '"plan": "2x3"').replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'),
    )
    expect((await failure()).message).toContain('model.safetensors: the parameter model.layers.1.')
    await writeFile(path, json)
    await rm(join(folder, 'model.safetensors'))
    expect(await failure()).toBeInstanceOf(LatheError)
    expect((await failure()).message).toContain('model.safetensors')
  })

  it('cannot be written where there is no folder', async () => {
    await expect(saveModel(join(folder, 'nowhere'), model)).rejects.toThrow(
      'config.json: cannot write it: no such file',
    )
  })
})
