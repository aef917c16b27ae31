import { describe, expect, it } from 'vitest'
import { parameters as countByPlan, LoopPlan } from '../plan/index.ts'
import { type ModelSettings, modelConfig } from './config.ts'
import { initialParameters, parameterCount, parameterShapes, parameterStore } from './parameters.ts'
import { trainingPrograms } from './programs.ts'

const small = { plan: '1x3', dModel: 32, nHeads: 4, vocabulary: 5, maxLength: 12 }
const config = (settings: Partial<ModelSettings> = {}) => modelConfig({ ...small, ...settings })

const everySetting: Partial<ModelSettings>[] = [
  {},
  { plan: '2,2x2,1' },
  { norm: 'layer', bias: true, activation: 'swiglu' },
  { norm: 'none', finalNorm: false, activation: 'relu' },
  { positions: 'learned', tiedHead: true },
  { dHead: 4, dHeadValue: 10, dFf: 24, positions: 'none' },
]

describe('parameterShapes', () => {
  it.each(everySetting)('are those of the training Program and of the cost formula: %o', (settings) => {
    const model = config(settings)
    const shapes = parameterShapes(model)
    const { main, derive } = trainingPrograms(model, 12)
    const used = [...main.parameters, ...(derive?.parameters ?? [])].filter((p) => !p.name.startsWith('derived:'))
    expect(shapes).toEqual(Object.fromEntries(used.map((p) => [p.name, p.shape])))
    const count = countByPlan(LoopPlan.parse(model.plan), { ...model, gated: model.activation === 'swiglu' })
    expect(parameterCount({ shapes })).toBe(count)
  })
})

describe('initialParameters', () => {
  const deviation = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

  it('have the stated spread', () => {
    const { values } = initialParameters(config({ norm: 'layer', bias: true, dFf: 256 }), 0)
    expect(deviation(values['model.layers.0.mlp.up_proj.weight'])).toBeCloseTo((3 * 32) ** -0.5, 2)
    expect(deviation(values['model.layers.0.mlp.down_proj.weight'])).toBeCloseTo((3 * 256) ** -0.5, 2)
    expect(deviation(values['model.embed_tokens.weight'])).toBeGreaterThan(0.8)
    expect(values['model.layers.0.input_layernorm.weight'].every((x) => x === 1)).toBe(true)
    expect(values['model.layers.0.input_layernorm.bias'].every((x) => x === 0)).toBe(true)
    expect(values['model.layers.0.mlp.up_proj.bias'].every((x) => x === 0)).toBe(true)
  })

  it('follow initStd where it is set', () => {
    const { values } = initialParameters(config({ initStd: 0.02, dFf: 256 }), 0)
    expect(deviation(values['model.layers.0.mlp.up_proj.weight'])).toBeCloseTo(0.02, 3)
    expect(deviation(values['model.embed_tokens.weight'])).toBeCloseTo(0.02, 2)
    expect(values['model.norm.weight'].every((x) => x === 1)).toBe(true)
  })

  it('depend on seed and name alone: more layers and loops leave the others as they are', () => {
    const one = initialParameters(config(), 3)
    const { version } = one
    const again = initialParameters(config(), 3)
    expect(again.version).not.toBe(version)
    expect({ ...again, version }).toEqual(one)
    expect({ ...initialParameters(config({ plan: '1x7' }), 3), version }).toEqual(one)
    const three = initialParameters(config({ plan: '3' }), 3).values
    for (const [name, values] of Object.entries(one.values)) expect(three[name], name).toEqual(values)
    const weight = 'model.layers.0.mlp.up_proj.weight'
    expect(three['model.layers.1.mlp.up_proj.weight']).not.toEqual(three[weight])
    expect(initialParameters(config(), 4).values[weight]).not.toEqual(one.values[weight])
  })
})

describe('parameterStore', () => {
  const { values, shapes } = initialParameters(config(), 0)
  const tensors = () => new Map(Object.keys(values).map((name) => [name, { shape: shapes[name], data: values[name] }]))

  it('takes tensors that fit the model', () => {
    expect(parameterStore(config(), tensors(), 'here')).toMatchObject({ values, shapes })
  })

  it('refuses tensors that do not, by name', () => {
    const lacking = tensors()
    lacking.delete('model.norm.weight')
    expect(() => parameterStore(config(), lacking, 'm.safetensors')).toThrow(
      'm.safetensors: the parameter model.norm.weight is missing',
    )
    expect(() => parameterStore(config({ tiedHead: true }), tensors(), 'm.safetensors')).toThrow(
      'm.safetensors: lm_head.weight is no parameter of the plan 1x3',
    )
    expect(() => parameterStore(config({ dFf: 40 }), tensors(), 'm.safetensors')).toThrow(
      'm.safetensors: model.layers.0.mlp.up_proj.weight is [128, 32], but the model has [40, 32]',
    )
  })
})
