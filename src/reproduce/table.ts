import type { Recipe } from '../recipes/index.ts'
import type { createTask } from '../task/index.ts'

export type ScaleName = 'laptop' | 'paper'

/** A table of a paper, and the trainings that make it again. */
export interface PublishedTable {
  readonly name: string
  readonly title: string
  /** Paper and place. */
  readonly source: string
  /** What a cell is: a fraction, and better when it is high (accuracy) or low (error). */
  readonly measure: 'accuracy' | 'error'
  /** The paper's cells as fractions, by plan, in the order of its columns. */
  readonly published: {
    readonly columns: readonly string[]
    readonly rows: Readonly<Record<string, readonly number[]>>
  }
  /** The paper's own size is absent where no setting is published. */
  readonly scales: { readonly laptop: () => Scale; readonly paper?: () => Scale }
  /** Whether its cells are those of a row's best run, and no means over runs. */
  readonly best?: boolean
  /** Whether accuracy is fitted to the logarithm of effective depth. */
  readonly fit?: boolean
}

/** A size in which a table is made. */
export interface Scale {
  /** In sentences: where it differs from the paper, and what the paper does not say. */
  readonly notes: readonly string[]
  readonly rows: readonly Row[]
  /** Each is trained once for every row and seed, under the row's plan. */
  readonly models: readonly Recipe[]
  readonly columns: readonly Column[]
  /** Held-out samples that a cell is measured on. */
  readonly samples: number
}

export interface Row {
  readonly plan: string
  /** The paper's row that it stands for. Default: the one of the same plan. */
  readonly like?: string
  /** Trained with the first seed alone, however many are asked for. */
  readonly once?: boolean
}

export interface Column {
  readonly title: string
  /** Which of the models, by index. */
  readonly model: number
  /** What it is measured on. Default: what it was trained on. */
  readonly task?: Parameters<typeof createTask>[0]
  /** The paper's column that it stands for. */
  readonly like?: string
  /** Whether the final answer is judged that the model writes greedily, and not every position. */
  readonly written?: boolean
}

/** What Reasoning with Latent Thoughts leaves open (arXiv 2502.17416, A.1) in every synthetic table. */
export const unstated =
  'a warmup of 2 %, RMSNorm before each part, GELU, initialisation, clipping at 1, no weight decay, and Adafactor ' +
  'without scaling by the size of the parameters'

/** The same of a laptop scale, whose optimizer is ours altogether. */
export const laptopChoices = ({ optimizer }: Recipe) =>
  `Ours besides: ${optimizerNames[optimizer.name]} instead of Adafactor with its rate, batch and updates; and, as the ` +
  'paper does not state them, warmup, norm, activation, initialisation, clipping and no weight decay.'

const optimizerNames = { adamw: 'AdamW', adafactor: 'Adafactor', muon: 'Muon' }

/** The paper's cell for a row and column of ours, if there is one. */
export function publishedCell({ published }: PublishedTable, row: Row, column: Column): number | undefined {
  const at = published.columns.indexOf(column.like ?? column.title)
  return published.rows[row.like ?? row.plan]?.[at]
}
