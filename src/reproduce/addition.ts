import { additionLaptop, additionPaper, type Recipe } from '../recipes/index.ts'
import { type Column, laptopChoices, type PublishedTable, unstated } from './table.ts'

/** The model is measured at one operand count at a time. */
const columns = ({ task }: Recipe, counts: readonly number[], like: readonly (string | undefined)[] = []): Column[] =>
  counts.map((n, i) => ({ title: `n = ${n}`, model: 0, task: { ...task, operands: [n] }, like: like[i] }))

const published = ['n = 8', 'n = 16', 'n = 24', 'n = 32']

/** Reasoning with Latent Thoughts (arXiv 2502.17416), Table 1, left half. */
export const additionTable: PublishedTable = {
  name: 'lt-table1-addition',
  title: 'n-ary addition: k layers looped L times beside k and kL layers',
  source:
    'Saunshi et al. 2025 (arXiv 2502.17416), Table 1, addition (of three runs of a row, the one with the best average)',
  measure: 'accuracy',
  best: true,
  published: {
    columns: published,
    rows: {
      '12': [1, 1, 1, 1],
      '1': [0.001, 0.001, 0.001, 0],
      '1x12': [0.999, 1, 0.999, 0.996],
      '2': [0.858, 0.715, 0.493, 0.388],
      '2x6': [1, 0.998, 0.997, 0.995],
      '3': [0.972, 0.785, 0.692, 0.607],
      '3x4': [1, 0.991, 0.97, 0.966],
    },
  },
  scales: {
    laptop: () => {
      const model = additionLaptop()
      return {
        notes: [
          'Laptop scale: 2, 4 and 8 numbers in training instead of 2 to 32, and 6 numbers never seen instead of 24; two digits ' +
            'instead of three; six layers deep instead of twelve, width 64 instead of 256, 8 heads of 16; learned positions, problems filled up ' +
            'on the left. 8 numbers stand beside the 8 of the paper, 6 beside its 24.',
          laptopChoices(model),
        ],
        rows: [
          { plan: '6', like: '12' },
          { plan: '1' },
          { plan: '1x6', like: '1x12' },
          { plan: '2' },
          { plan: '2x3', like: '2x6' },
          { plan: '3' },
          { plan: '3x2', like: '3x4' },
        ],
        models: [model],
        columns: columns(model, [2, 4, 6, 8], [undefined, undefined, 'n = 24', 'n = 8']),
        samples: 2048,
      }
    },
    paper: () => {
      const model = additionPaper()
      return {
        notes: [
          `The published setting. Not stated there, and ours: rotary positions, one token a character, the loss on the sum and its end alone, ${unstated}.`,
        ],
        rows: ['12', '1', '1x12', '2', '2x6', '3', '3x4'].map((plan) => ({ plan })),
        models: [model],
        columns: columns(model, [8, 16, 24, 32]),
        samples: 16_384,
      }
    },
  },
}
