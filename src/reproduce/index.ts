/**
 * Published tables, made again: trainings, measurements, and ours beside the paper's.
 * @module
 */
import { LatheError } from '../settings/error.ts'
import { nearest } from '../settings/nearest.ts'
import { additionTable } from './addition.ts'
import { igsmTable } from './igsm.ts'
import { phopTable } from './phop.ts'
import { primitivesTable } from './primitives.ts'
import { sanfordTable } from './sanford.ts'
import type { PublishedTable, Scale, ScaleName } from './table.ts'

export type { Outcome } from './outcome.ts'
export { caption, htmlPage, levelSentences, markdownReport, type Provenance, tableOf } from './report.ts'
export { type Cell, type CellResult, cellsOf, isDone, type ReproduceOptions, reproduce } from './reproduce.ts'
export { findings, fitFindings, sweepFindings } from './sentences.ts'
export { type Summary, type SummaryRow, summarize } from './summary.ts'
export type { PublishedTable, Scale, ScaleName } from './table.ts'

/** The tables by name. */
export const tables: ReadonlyMap<string, PublishedTable> = new Map(
  [additionTable, phopTable, igsmTable, sanfordTable, primitivesTable].map((table) => [table.name, table]),
)

/** The table called `name`. Throws a LatheError that suggests the nearest name. */
export function findTable(name: string): PublishedTable {
  const table = tables.get(name)
  if (table) return table
  const names = [...tables.keys()]
  const near = nearest(name, names)
  throw new LatheError(
    `no table is called ${JSON.stringify(name)}: ${near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`}`,
  )
}

/** A table at a size. Throws a LatheError where the papers give no setting for it. */
export function scaleOf(table: PublishedTable, name: ScaleName): Scale {
  const scale = table.scales[name]
  if (scale) return scale()
  throw new LatheError(`${table.name} has no ${name} scale: no setting of it is published`)
}
