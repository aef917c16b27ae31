import { input, trace } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { RandomStream } from '../tensor/random.ts'
import { sameShape, sizeOf } from '../tensor/type.ts'
import type { ModelConfig } from './config.ts'
import { transformer } from './transformer.ts'

/** The weights of a model by name. */
export interface ParameterStore {
  readonly values: Record<string, Float32Array>
  readonly shapes: Readonly<Record<string, readonly number[]>>
  /** Another one (`nextVersion`) whenever values change, so that executors know when packed copies are stale. */
  version: number
}

let versions = 0

/** A version that no store of this process has had: two stores never look alike to an executor. */
export const nextVersion = (): number => ++versions

/** Name and shape of every parameter, as the traced model has them: they cannot disagree with what runs. */
export function parameterShapes(config: ModelConfig): Record<string, readonly number[]> {
  const graph = trace('parameters', () => {
    transformer(config, input('tokens', [1], 'i32'))
  })
  const parameters = [...graph.sources].filter(([, tensor]) => tensor.node.op === 'parameter')
  return Object.fromEntries(parameters.map(([name, { shape }]) => [name, shape]))
}

/**
 * The initial weights; each depends on the seed and its parameter's name alone. The papers give no law; this is ours.
 * Linear maps and the head are N(0, 1 / (3 · fan-in)), the variance of torch's nn.Linear; embeddings are N(0, 1), as
 * torch's nn.Embedding; with `initStd` both are N(0, initStd²). Gains are 1, biases 0.
 */
export function initialParameters(config: ModelConfig, seed: number): ParameterStore {
  return initialStore(parameterShapes(config), seed, config.initStd)
}

/** The same for parameters of any shapes, such as those of a model of one's own. */
export function initialStore(shapes: ParameterStore['shapes'], seed: number, initStd?: number): ParameterStore {
  const values = Object.entries(shapes).map(([name, shape]) => [name, initialValues(name, shape, seed, initStd)])
  return { values: Object.fromEntries(values), shapes, version: nextVersion() }
}

function initialValues(name: string, shape: readonly number[], seed: number, initStd?: number): Float32Array {
  const values = new Float32Array(sizeOf(shape))
  if (shape.length === 1) return values.fill(name.endsWith('.bias') ? 0 : 1)
  const std = initStd ?? (name.startsWith('model.embed_') ? 1 : (3 * shape[1]) ** -0.5)
  const random = new RandomStream(seed, 'init', name)
  for (let i = 0; i < values.length; i++) values[i] = std * random.normal()
  return values
}

/**
 * Given tensors as the store of a model. Throws a LatheError, which begins with `where`, when one is missing, of
 * another shape, or none of the model's.
 */
export function parameterStore(
  config: ModelConfig,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  where: string,
): ParameterStore {
  const shapes = parameterShapes(config)
  for (const name of tensors.keys())
    if (!Object.hasOwn(shapes, name))
      throw new LatheError(`${where}: ${name} is no parameter of the plan ${config.plan}`)
  const values = Object.entries(shapes).map(([name, shape]) => {
    const tensor = tensors.get(name)
    if (!tensor) throw new LatheError(`${where}: the parameter ${name} is missing`)
    if (!sameShape(tensor.shape, shape))
      throw new LatheError(`${where}: ${name} is [${tensor.shape.join(', ')}], but the model has [${shape.join(', ')}]`)
    return [name, tensor.data]
  })
  return { values: Object.fromEntries(values), shapes, version: nextVersion() }
}

/** How many numbers a model learns. */
export const parameterCount = ({ shapes }: Pick<ParameterStore, 'shapes'>): number =>
  Object.values(shapes).reduce((total, shape) => total + sizeOf(shape), 0)
