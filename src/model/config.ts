import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { LoopPlan, type ModelShape } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { flag, must, oneOf, parseSettings, positiveInteger, positiveNumber } from '../settings/settings.ts'

/** A plan has one text, whatever was written: `1x1` is `1`. */
function checkPlan(payload: z.core.ParsePayload<string>) {
  const { value, issues } = payload
  try {
    payload.value = LoopPlan.parse(value).toString()
  } catch (error) {
    issues.push({ code: 'custom', message: (error as LatheError).message, input: value })
  }
}

/** The settings of a model as one writes them; `modelConfig` fills those that are left out. */
export const modelSchema = z.strictObject({
  plan: z.string(must('a loop plan such as "1x4"')).check(checkPlan).describe('loop plan: 12, 1x12 or 4,4x4,4'),
  dModel: positiveInteger.describe('width of the residual stream'),
  nHeads: positiveInteger.describe('attention heads of a layer'),
  dHead: positiveInteger.optional().describe('width of a query and a key of one head; default dModel / nHeads'),
  dHeadValue: positiveInteger.optional().describe('width of a value of one head; default dHead'),
  dFf: positiveInteger.optional().describe('inner width of the feed-forward part; default 4 dModel'),
  norm: oneOf('rms', 'layer', 'none').default('rms').describe('norm before each part: RMSNorm, LayerNorm or none'),
  normEps: positiveNumber.default(1e-5).describe('added to the variance inside a norm'),
  activation: oneOf('gelu', 'relu', 'swiglu').default('gelu').describe('gelu (tanh form), relu or swiglu (gated)'),
  positions: oneOf('rope', 'learned', 'none').default('rope').describe('how positions enter: rope, learned or none'),
  ropeBase: positiveNumber.default(10_000).describe('base of the rotary angles'),
  bias: flag.default(false).describe('whether linear maps (not the head) and LayerNorm have a bias'),
  finalNorm: flag.default(true).describe('whether one norm stands before the head, after all loops'),
  tiedHead: flag.default(false).describe('whether the head uses the embedding weights'),
  attention: oneOf('causal', 'bidirectional').default('causal').describe('what a position sees'),
  attentionScale: positiveNumber.optional().describe('factor on the scores; default 1 / sqrt(dHead)'),
  vocabulary: positiveInteger.describe('number of token ids'),
  maxLength: positiveInteger.describe('longest sequence in tokens'),
  initStd: positiveNumber.optional().describe('standard deviation of the initial weights; default: by fan-in'),
})

export type ModelSettings = z.input<typeof modelSchema>

/** A model in full: what its weights mean depends on these values and on nothing else. */
export interface ModelConfig {
  plan: string
  dModel: number
  nHeads: number
  dHead: number
  dHeadValue: number
  dFf: number
  norm: 'rms' | 'layer' | 'none'
  normEps: number
  activation: 'gelu' | 'relu' | 'swiglu'
  positions: 'rope' | 'learned' | 'none'
  ropeBase: number
  bias: boolean
  finalNorm: boolean
  tiedHead: boolean
  attention: 'causal' | 'bidirectional'
  attentionScale: number
  vocabulary: number
  maxLength: number
  initStd?: number
}

/**
 * Fills the defaults of a model's settings.
 * Throws a LatheError for a value out of range, a plan that does not parse, and heads that do not divide dModel.
 *
 * @example
 * modelConfig({ plan: '1x4', dModel: 128, nHeads: 4, vocabulary: 4, maxLength: 32 }).dHead // 32
 */
export function modelConfig(settings: ModelSettings, where = 'model'): ModelConfig {
  const parsed = parseSettings(modelSchema, settings, where)
  return { ...parsed, ...widths(parsed) }
}

type Widths = Pick<ModelSettings, 'dModel' | 'nHeads' | 'dHead' | 'dHeadValue' | 'dFf' | 'attentionScale'>

/** The settings that follow from others where they are not given. */
export function widths({ dModel, nHeads, dHead = dModel / nHeads, dHeadValue, dFf, attentionScale }: Widths) {
  if (!Number.isInteger(dHead)) {
    throw new LatheError(`dModel ${dModel} is not divisible by nHeads ${nHeads}: set dHead`)
  }
  return {
    dHead,
    dHeadValue: dHeadValue ?? dHead,
    dFf: dFf ?? 4 * dModel,
    attentionScale: attentionScale ?? 1 / Math.sqrt(dHead),
  }
}

/** The sizes on which parameters and FLOPs depend. */
export const modelShape = (config: ModelConfig): ModelShape => ({ ...config, gated: config.activation === 'swiglu' })

const hiddenAct = { gelu: 'gelu_pytorch_tanh', relu: 'relu', swiglu: 'silu' }

/** `config.json` in the Hugging Face names, with the full settings under `lathe`. */
export function toHuggingFace(config: ModelConfig): Record<string, unknown> {
  const plan = LoopPlan.parse(config.plan)
  return {
    architectures: ['LatheForCausalLM'],
    model_type: 'lathe',
    hidden_size: config.dModel,
    num_hidden_layers: plan.distinctLayers,
    loops: plan.segments.map(({ loops }) => loops),
    num_attention_heads: config.nHeads,
    head_dim: config.dHead,
    intermediate_size: config.dFf,
    vocab_size: config.vocabulary,
    max_position_embeddings: config.maxLength,
    hidden_act: hiddenAct[config.activation],
    attention_bias: config.bias,
    mlp_bias: config.bias,
    tie_word_embeddings: config.tiedHead,
    torch_dtype: 'float32',
    ...(config.positions === 'rope' ? { rope_theta: config.ropeBase } : {}),
    ...(config.norm === 'rms' ? { rms_norm_eps: config.normEps } : {}),
    ...(config.norm === 'layer' ? { layer_norm_eps: config.normEps } : {}),
    lathe: { ...config },
  }
}

/** What says nothing of the model: all of it in Lathe's names, and how wide its weights are stored. */
const notOfModel = new Set(['lathe', 'torch_dtype'])

/**
 * The settings that `toHuggingFace` wrote, exactly. Names that it did not write are passed over.
 * Throws a LatheError when the file is no Lathe model, or says one thing in two names and they differ.
 */
export function fromHuggingFace(json: unknown, where = 'config.json'): ModelConfig {
  const file = json as Record<string, unknown> | null | undefined
  if (file?.lathe === undefined) {
    const type = typeof file?.model_type === 'string' ? ` (its model_type is ${JSON.stringify(file.model_type)})` : ''
    throw new LatheError(`${where} is not of a Lathe model${type}: the field "lathe" is missing`)
  }
  const config = modelConfig(file.lathe as ModelSettings, `${where}: lathe`)
  for (const [name, value] of Object.entries(toHuggingFace(config))) {
    if (notOfModel.has(name) || !Object.hasOwn(file, name) || isDeepStrictEqual(file[name], value)) continue
    throw new LatheError(
      `${where}: ${name} is ${JSON.stringify(file[name])} but the field "lathe" makes it ${JSON.stringify(value)}`,
    )
  }
  return config
}
