import { type Recipe, sanfordLaptop, sanfordPaper } from '../recipes/index.ts'
import type { PublishedTable, Scale } from './table.ts'

const hops = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]
const titleOf = (h: number) => (h === 1 ? '1 hop' : `${h} hops`)

const scale = (model: Recipe, note: string): Scale => ({
  notes: [
    note,
    'Theirs trains with the dropout of 0.1 that GPT-2 has by default, and their notebook, as it stands, measures with it; ours has none. Ours, too: ' +
      'a head tied to the embedding (theirs takes 128 logits from the last hidden state itself) and no smaller initial weights ' +
      'at the ends of residual branches.',
    'Error: the share of wrong letters over the positions with a defined hop.',
  ],
  rows: ['2', '3', '4', '5', '6'].map((plan) => ({ plan })),
  models: [model],
  columns: hops.map((h) => ({ title: titleOf(h), model: 0, task: { ...model.task, only: h } })),
  samples: 100,
})

/** Sanford, Hsu and Telgarsky (arXiv 2402.09268): error by depth and hop count, online data, 4 heads. */
export const sanfordTable: PublishedTable = {
  name: 'sanford-depth',
  title: 'Hop induction: how deep must a transformer be for how many hops',
  source: 'Sanford et al. 2024 (arXiv 2402.09268), errors of the repository chsanford/hop-induction-heads, 4 heads',
  measure: 'error',
  published: {
    columns: hops.map(titleOf),
    rows: {
      '2': [0, 0.01, 0.14, 0.346, 0.423, 0.543, 0.588, 0.616, 0.658, 0.692, 0.72, 0.73, 0.737],
      '3': [0, 0.003, 0.008, 0.048, 0.15, 0.277, 0.359, 0.422, 0.456, 0.574, 0.644, 0.672, 0.706],
      '4': [0, 0.001, 0.003, 0.005, 0.015, 0.034, 0.062, 0.109, 0.216, 0.359, 0.467, 0.533, 0.612],
      '5': [0, 0.001, 0.001, 0.001, 0.003, 0.012, 0.015, 0.017, 0.037, 0.103, 0.218, 0.339, 0.414],
      '6': [0, 0, 0, 0.001, 0.002, 0.003, 0.003, 0.007, 0.006, 0.01, 0.012, 0.027, 0.062],
    },
  },
  scales: {
    laptop: () =>
      scale(
        sanfordLaptop(),
        'Laptop scale: a twentieth of the updates, with Muon in place of AdamW and its weight decay, clipping at 1, and a rate that ends at 0.',
      ),
    paper: () =>
      scale(
        sanfordPaper(),
        'The published setting, but for no weight decay of gains and biases and a vocabulary without unused ids.',
      ),
  },
}
