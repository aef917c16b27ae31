import { primitive, type Recipe } from '../recipes/index.ts'
import type { PublishedTable, Scale } from './table.ts'

const models: readonly [title: string, recipe: Recipe][] = [
  ['copying', primitive('copy')],
  ['assignment, depth 0', primitive('assign-0')],
  ['assignment, depth 1', primitive('assign-1')],
  ['assignment, depth 2', primitive('assign-2')],
  ['pre-school math', primitive('psm')],
]

const scale = (): Scale => ({
  notes: [
    'The papers ask language models; here small models learn each primitive from nothing, so no published number compares. ' +
      'The two forms of assignment, mathematics and code, are the same tokens here and count once.',
  ],
  rows: ['4', '1', '1x4', '2', '2x2'].map((plan) => ({ plan })),
  models: models.map(([, recipe]) => recipe),
  columns: models.map(([title], model) => ({ title, model })),
  samples: 2048,
})

/** The reasoning primitives of MIDAS (arXiv 2409.19044) and of Reasoning with Latent Thoughts (arXiv 2502.17416), Table 8. */
export const primitivesTable: PublishedTable = {
  name: 'primitives',
  title: 'Reasoning primitives: k layers looped L times beside k and kL layers',
  source: 'the tasks of MIDAS (arXiv 2409.19044), learned from nothing',
  measure: 'accuracy',
  published: { columns: [], rows: {} },
  scales: { laptop: scale },
}
