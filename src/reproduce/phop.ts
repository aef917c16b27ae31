import { phopLaptop, phopPaper } from '../recipes/index.ts'
import { laptopChoices, type PublishedTable, unstated } from './table.ts'

const plans = ['6', '1', '1x6', '2', '2x3', '3', '3x2']
const rows = plans.map((plan) => ({ plan }))

/** Reasoning with Latent Thoughts (arXiv 2502.17416), Table 1, right half. */
export const phopTable: PublishedTable = {
  name: 'lt-table1-phop',
  title: 'p-hop induction: k layers looped L times beside k and kL layers',
  source: 'Saunshi et al. 2025 (arXiv 2502.17416), Table 1, p-hop',
  measure: 'accuracy',
  published: {
    columns: ['p = 16', 'p = 32'],
    rows: {
      '6': [0.999, 0.996],
      '1': [0.489, 0.49],
      '1x6': [0.999, 0.995],
      '2': [0.688, 0.594],
      '2x3': [0.999, 0.998],
      '3': [0.972, 0.73],
      '3x2': [0.999, 0.995],
    },
  },
  scales: {
    laptop: () => ({
      notes: [
        'Laptop scale: 64 letters instead of 256, p = 4 and 8 instead of 16 and 32, width 64 and 4 heads instead of 128 and 8.',
        'The loss is at every position with p hops, which is learned far faster; where the paper takes it, and how it places ' +
          'the hops, is not stated.',
        laptopChoices(phopLaptop(4)),
      ],
      rows,
      models: [phopLaptop(4), phopLaptop(8)],
      columns: [
        { title: 'p = 4', model: 0, like: 'p = 16' },
        { title: 'p = 8', model: 1, like: 'p = 32' },
      ],
      samples: 4096,
    }),
    paper: () => ({
      notes: [
        `The published setting. Not stated there, and ours: the loss at the last position only, the places of the hops, ${unstated}. ` +
          'Ours, too: fresh sequences in place of 4M seen 12.8 times, and 65,536 in place of 262k to measure on.',
      ],
      rows,
      models: [phopPaper(16), phopPaper(32)],
      columns: [
        { title: 'p = 16', model: 0 },
        { title: 'p = 32', model: 1 },
      ],
      samples: 65_536,
    }),
  },
}
