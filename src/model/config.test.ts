import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { fromHuggingFace, type ModelConfig, type ModelSettings, modelConfig, toHuggingFace } from './config.ts'

const smallest: ModelSettings = { plan: '1x4', dModel: 128, nHeads: 4, vocabulary: 4, maxLength: 32 }

describe('modelConfig', () => {
  it('fills every default', () => {
    expect(modelConfig(smallest)).toEqual({
      plan: '1x4',
      dModel: 128,
      nHeads: 4,
      dHead: 32,
      dHeadValue: 32,
      dFf: 512,
      norm: 'rms',
      normEps: 1e-5,
      activation: 'gelu',
      positions: 'rope',
      ropeBase: 10_000,
      bias: false,
      finalNorm: true,
      tiedHead: false,
      attention: 'causal',
      attentionScale: 1 / Math.sqrt(32),
      vocabulary: 4,
      maxLength: 32,
    })
  })

  it('takes head widths that do not divide, when they are given', () => {
    expect(modelConfig({ ...smallest, dModel: 100, nHeads: 3, dHead: 7 })).toMatchObject({
      dHead: 7,
      dHeadValue: 7,
      dFf: 400,
    })
    expect(modelConfig({ ...smallest, dHead: 16, dHeadValue: 3 })).toMatchObject({
      dHeadValue: 3,
      attentionScale: 0.25,
    })
  })

  it.each<[string, object]>([
    ['dModel 100 is not divisible by nHeads 3: set dHead', { dModel: 100, nHeads: 3 }],
    ['model: dModel must be a positive integer, got -3', { dModel: -3 }],
    ['model: dModel must be a positive integer, got 1.5', { dModel: 1.5 }],
    ['model: normEps must be a positive number, got NaN', { normEps: Number.NaN }],
    ['model: norm must be "rms", "layer" or "none", got "rmsnorm"', { norm: 'rmsnorm' }],
    ['model: bias must be true or false, got "yes"', { bias: 'yes' }],
    ['model: vocabulary is missing: it must be a positive integer', { vocabulary: undefined }],
    ['model: there is no setting nheads: did you mean nHeads?', { nheads: 4 }],
    ['model: plan must be a loop plan such as "1x4", got 12', { plan: 12 }],
  ])('refuses: %s', (message, wrong) => {
    expect(() => modelConfig({ ...smallest, ...wrong } as ModelSettings)).toThrow(new LatheError(message))
  })

  it('passes on what the plan says about itself', () => {
    expect(() => modelConfig({ ...smallest, plan: '4x' })).toThrow(/^model: plan: plan "4x"/)
  })
})

describe('config.json', () => {
  const anyConfig = fc
    .record({
      plan: fc.constantFrom('1', '1x12', '4,4x4,4', '2,2x2,1'),
      dModel: fc.integer({ min: 1, max: 4096 }),
      nHeads: fc.integer({ min: 1, max: 64 }),
      dHead: fc.integer({ min: 1, max: 256 }),
      norm: fc.constantFrom('rms', 'layer', 'none'),
      normEps: fc.double({ min: Number.MIN_VALUE, max: 1, noNaN: true }),
      activation: fc.constantFrom('gelu', 'relu', 'swiglu'),
      positions: fc.constantFrom('rope', 'learned', 'none'),
      bias: fc.boolean(),
      tiedHead: fc.boolean(),
      attention: fc.constantFrom('causal', 'bidirectional'),
      attentionScale: fc.double({ min: 1e-300, max: 1e300, noNaN: true }),
      vocabulary: fc.integer({ min: 1, max: 2 ** 31 }),
      maxLength: fc.integer({ min: 1, max: 4096 }),
    })
    .map((settings) => modelConfig(settings as ModelSettings))

  it('gives back exactly what was written', () => {
    fc.assert(
      fc.property(anyConfig, (config) => {
        expect(fromHuggingFace(JSON.parse(JSON.stringify(toHuggingFace(config))))).toEqual(config)
      }),
      { seed: 3, numRuns: 200 },
    )
  })

  it('speaks the names of Hugging Face', () => {
    expect(
      toHuggingFace(modelConfig({ ...smallest, plan: '4,4x4,4', norm: 'layer', activation: 'swiglu' })),
    ).toMatchObject({
      architectures: ['LatheForCausalLM'],
      model_type: 'lathe',
      hidden_size: 128,
      num_hidden_layers: 12,
      loops: [1, 4, 1],
      num_attention_heads: 4,
      head_dim: 32,
      intermediate_size: 512,
      vocab_size: 4,
      max_position_embeddings: 32,
      hidden_act: 'silu',
      rope_theta: 10_000,
      layer_norm_eps: 1e-5,
      tie_word_embeddings: false,
    })
    expect(toHuggingFace(modelConfig({ ...smallest, norm: 'none', positions: 'none' }))).not.toHaveProperty(
      'rope_theta',
    )
  })

  it('passes over names that it did not write', () => {
    const config: ModelConfig = modelConfig(smallest)
    expect(fromHuggingFace({ ...toHuggingFace(config), transformers_version: '4.57.6' })).toEqual(config)
  })

  it('has one text for a plan, whatever was written', () => {
    for (const [written, plan] of [
      ['1x1', '1'],
      ['4,4x1', '4,4'],
    ])
      expect(modelConfig({ ...smallest, plan: written }).plan).toBe(plan)
  })

  it('is the same model however wide its weights are stored', () => {
    const config = modelConfig(smallest)
    expect(fromHuggingFace({ ...toHuggingFace(config), torch_dtype: 'bfloat16' })).toEqual(config)
  })

  const file = () => toHuggingFace(modelConfig(smallest))
  it.each<[string, unknown]>([
    [
      'config.json is not of a Lathe model (its model_type is "llama"): the field "lathe" is missing',
      { model_type: 'llama' },
    ],
    ['config.json is not of a Lathe model: the field "lathe" is missing', null],
    ['config.json is not of a Lathe model: the field "lathe" is missing', 'text'],
    ['config.json: hidden_size is 64 but the field "lathe" makes it 128', { ...file(), hidden_size: 64 }],
    ['config.json: loops is [2] but the field "lathe" makes it [4]', { ...file(), loops: [2] }],
    ['config.json: lathe: plan is missing: it must be a loop plan such as "1x4"', { lathe: {} }],
    ['config.json: lathe: it must be an object, got 3', { lathe: 3 }],
  ])('refuses: %s', (message, json) => {
    expect(() => fromHuggingFace(json)).toThrow(new LatheError(message))
  })
})
