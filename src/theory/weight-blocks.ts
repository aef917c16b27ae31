import type { ModelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { nextVersion, parameterShapes } from '../model/parameters.ts'
import { sizeOf } from '../tensor/type.ts'

/** Entries of a row, or of a column, by their place; the others are 0. */
export type Entries = Readonly<Record<number, number>>

/** The weights of a model that is built by hand: zero at first, then written entry by entry and block by block. */
export class WeightBlocks {
  readonly model: Model

  constructor(config: ModelConfig) {
    const shapes = parameterShapes(config)
    const values = Object.entries(shapes).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))])
    this.model = { config, parameters: { values: Object.fromEntries(values), shapes, version: nextVersion() } }
  }

  /** Writes entries of one row by their columns; a bias has rows of one column, 0. */
  row(name: string, row: number, entries: Entries): void {
    for (const [column, value] of Object.entries(entries)) this.paste(name, row, Number(column), [value], 1)
  }

  /** Makes relu(reads · state + bias), times `writes` added to the state, unit i of a feed-forward part. */
  unit(mlp: string, i: number, { reads, bias = 0, writes }: { reads: Entries; bias?: number; writes: Entries }): void {
    this.row(`${mlp}.up_proj.weight`, i, reads)
    this.row(`${mlp}.up_proj.bias`, i, { 0: bias })
    for (const [row, value] of Object.entries(writes)) this.row(`${mlp}.down_proj.weight`, Number(row), { [i]: value })
  }

  /** Copies `block`, rows of `columns` entries, to where its first entry stands at (row, column). */
  paste(name: string, row: number, column: number, block: ArrayLike<number>, columns: number): void {
    const { values, shapes } = this.model.parameters
    const [rows, width = 1] = shapes[name]
    if (column + columns > width || row + block.length / columns > rows)
      throw new RangeError(`${name} is ${rows} × ${width}: ${block.length / columns} × ${columns} at ${row}, ${column}`)
    for (let i = 0; i < block.length; i++)
      values[name][(row + Math.floor(i / columns)) * width + column + (i % columns)] = block[i]
  }
}

/** M x of a matrix of rows as long as x. */
export function matrixTimes(matrix: Float32Array, x: Float32Array): Float32Array {
  const row = (r: number) => x.reduce((sum, value, c) => sum + matrix[r * x.length + c] * value, 0)
  return Float32Array.from({ length: matrix.length / x.length }, (_, r) => row(r))
}
