import { igsmLaptop, igsmPaper, type Recipe } from '../recipes/index.ts'
import { laptopChoices, type PublishedTable, type Scale, unstated } from './table.ts'

const plans = ['8', '1', '1x2', '1x4', '1x8', '2', '2x2', '2x4', '4', '4x2']

const scale = (model: Recipe, notes: readonly string[], samples: number, rows: Scale['rows']): Scale => ({
  notes: [
    ...notes,
    'Final answer: the last value of a solution that the model writes greedily, whatever name it is given to; what the paper measures is not stated. ' +
      'Other numbers of loops are measured by whole solutions.',
  ],
  rows,
  models: [model],
  columns: [
    { title: 'final answer', model: 0, written: true, like: 'accuracy' },
    { title: 'whole solution', model: 0 },
  ],
  samples,
})

/** Reasoning with Latent Thoughts (arXiv 2502.17416), Table 2. */
export const igsmTable: PublishedTable = {
  name: 'lt-table2-igsm',
  title: 'i-GSM: k layers looped L times beside k and kL layers',
  source: 'Saunshi et al. 2025 (arXiv 2502.17416), Table 2',
  measure: 'accuracy',
  published: {
    columns: ['accuracy'],
    rows: {
      '8': [0.732],
      '1': [0.245],
      '1x2': [0.523],
      '1x4': [0.699],
      '1x8': [0.732],
      '2': [0.54],
      '2x2': [0.669],
      '2x4': [0.736],
      '4': [0.713],
      '4x2': [0.716],
    },
  },
  scales: {
    laptop: () =>
      scale(
        igsmLaptop(),
        [
          'Laptop scale: trained on problems of 4 to 7 definitions, measured on those of 5 to 7, the ones with four steps and ' +
            'more, of some two dozen solution templates that are held out, the same for every seed, of which two, of four steps, ' +
            'are over a third of what is measured; one name in a definition, one definition that is not needed, 8 letters, a name ' +
            'a token, at most 128 tokens; width 64 instead of 128, but 8 heads of 16 as there.',
          laptopChoices(igsmLaptop()),
          'Seeds after the first train `8`, `1`, `1x2`, `1x8` and `2` alone.',
        ],
        2048,
        plans.map((plan) => ({ plan, once: !['8', '1', '1x2', '1x8', '2'].includes(plan) })),
      ),
    paper: () =>
      scale(
        igsmPaper(),
        [
          `The published model and optimizer. Not stated there, and ours: 8 to 14 definitions of up to three names and the law ` +
            `that draws them, how they are cut into tokens, the loss on the solution alone, which templates are held out, ${unstated}. ` +
            'Ours, too: fresh problems in place of 4M, and 16,384 in place of about 50k to measure on. Left out: `16` and `1x16`, ' +
            'which the authors gave to reviewers alone (97.9 and 96.9 %).',
        ],
        16_384,
        plans.map((plan) => ({ plan })),
      ),
  },
  fit: true,
}
