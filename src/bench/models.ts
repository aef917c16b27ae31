import { type ModelConfig, modelConfig } from '../model/config.ts'
import { LatheError } from '../settings/error.ts'
import { nearest } from '../settings/nearest.ts'

/** A model whose training step is measured. */
export interface NamedModel {
  readonly name: string
  readonly config: ModelConfig
  /** Tokens of a sequence. */
  readonly length: number
  /** Sequences of a step. */
  readonly batch: number
  readonly description: string
}

function named(
  name: string,
  description: string,
  [plan, dModel, nHeads, dFf, length, batch, vocabulary]: readonly [
    string,
    number,
    number,
    number,
    number,
    number,
    number,
  ],
): NamedModel {
  const config = modelConfig({ plan, dModel, nHeads, dFf, vocabulary, maxLength: length, norm: 'layer' })
  return { name, description, config, length, batch }
}

/** The models that Lathe measures itself on: plan, dModel, heads, dFf, T, batch, vocabulary. */
const namedModels: readonly NamedModel[] = [
  named('Q', 'the quickstart', ['1x4', 128, 4, 512, 32, 64, 4]),
  named('S', 'four layers', ['4', 256, 8, 1024, 256, 32, 64]),
  named('L', 'one layer, eight times', ['1x8', 256, 8, 1024, 256, 32, 64]),
  named('M', 'six wider layers', ['6', 512, 8, 2048, 256, 16, 64]),
  named('P', 'the p-hop setting', ['1x6', 128, 8, 512, 256, 256, 4]),
  named('A', 'the addition setting', ['1x12', 256, 8, 1024, 133, 256, 14]),
  named('V', 'a large vocabulary', ['2,4x3,2', 384, 6, 1536, 512, 16, 32_768]),
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
