import { modelConfig } from '../model/config.ts'
import { initialParameters } from '../model/parameters.ts'
import { trainingPrograms } from '../model/programs.ts'
import { LatheError } from '../settings/error.ts'
import { nearest } from '../settings/nearest.ts'
import { createTask } from '../task/index.ts'
import { memoryModel } from './memory-model.ts'
import { drawSamples } from './mixture.ts'
import type { NamedModel } from './named-model.ts'

/** Sizes of a transformer; the rest is as every named model has it: causal, LayerNorm, GELU, RoPE, no biases. */
export interface Sizes {
  readonly plan: string
  readonly dModel: number
  readonly nHeads: number
  readonly dFf: number
  readonly length: number
  readonly batch: number
  readonly vocabulary: number
}

export function transformerModel(name: string, { length, batch, ...sizes }: Sizes): NamedModel {
  const config = modelConfig({ ...sizes, maxLength: length, norm: 'layer' })
  return {
    name,
    length,
    batch,
    vocabulary: config.vocabulary,
    config,
    programs: (tokens = length) => trainingPrograms(config, tokens),
    parameters: (seed) => initialParameters(config, seed),
  }
}

/** Sizes of the transformers that Lathe measures itself on. */
export const namedSizes = {
  Q: { plan: '1x4', dModel: 128, nHeads: 4, dFf: 512, length: 32, batch: 64, vocabulary: 4 },
  S: { plan: '4', dModel: 256, nHeads: 8, dFf: 1024, length: 256, batch: 32, vocabulary: 64 },
  L: { plan: '1x8', dModel: 256, nHeads: 8, dFf: 1024, length: 256, batch: 32, vocabulary: 64 },
  M: { plan: '6', dModel: 512, nHeads: 8, dFf: 2048, length: 256, batch: 16, vocabulary: 64 },
  P: { plan: '1x6', dModel: 128, nHeads: 8, dFf: 512, length: 256, batch: 256, vocabulary: 4 },
  A: { plan: '1x12', dModel: 256, nHeads: 8, dFf: 1024, length: 133, batch: 256, vocabulary: 14 },
  V: { plan: '2,4x3,2', dModel: 384, nHeads: 6, dFf: 1536, length: 512, batch: 16, vocabulary: 32_768 },
} satisfies Record<string, Sizes>

/** A on the sums that it is trained on, of 2 to 32 numbers. */
const mixedAddition = (): NamedModel => {
  const { A } = namedSizes
  const draw = (count: number, seed: number) => drawSamples(createTask({ name: 'addition' }), A.length, count, seed)
  return { ...transformerModel('A-mixed', A), draw }
}

const namedModels: readonly NamedModel[] = [
  ...Object.entries(namedSizes).map(([name, sizes]) => transformerModel(name, sizes)),
  mixedAddition(),
  memoryModel('N', { dModel: 256, nHeads: 8, dFf: 1024, slots: 256, loops: 4, length: 256, batch: 32, vocabulary: 64 }),
]

/** The models of a list such as `S,L`. Throws a LatheError that names the nearest. */
export function pickModels(list: string): NamedModel[] {
  return list.split(',').map((name) => {
    const found = namedModels.find((model) => model.name === name)
    if (found) return found
    const names = namedModels.map((model) => model.name)
    const near = nearest(name, names)
    throw new LatheError(
      `bench has no model ${JSON.stringify(name)}: ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}`}`,
    )
  })
}
