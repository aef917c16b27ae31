/**
 * One table, three ways to write it: Markdown, HTML, plain text for a terminal.
 * @module
 */
import { html, type Markup } from './markup.ts'

/** A column: which field of a row it shows, under which title, how. */
export type Column<R> = {
  [K in keyof R & string]: {
    key: K
    title: string
    /** Numbers belong right. Default: left. */
    align?: 'left' | 'right'
    /** Default: `String`. A value that is absent is shown as `–` and never reaches this. */
    format?: (value: NonNullable<R[K]>, row: R) => string
    /** In a terminal it is never parted from the column before it. */
    joined?: boolean
  }
}[keyof R & string]

function cell<R>(column: Column<R>, row: R): string {
  const value = row[column.key]
  if (value === undefined || value === null) return '–'
  return column.format ? column.format(value, row) : String(value)
}

/** The table in GitHub's Markdown; pipes and line breaks in a cell are escaped. */
export function markdownTable<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map((column) => escapeMarkdown(column.title))),
    line(columns.map((column) => (column.align === 'right' ? '---:' : ':---'))),
    ...rows.map((row) => line(columns.map((column) => escapeMarkdown(cell(column, row))))),
  ].join('\n')
}

function escapeMarkdown(text: string): string {
  return text.replace(/[\\|]/g, '\\$&').replace(/\s*\n\s*/g, ' ')
}

/** The table as HTML, its first column the row headers; every cell is escaped. */
export function htmlTable<R>(columns: readonly Column<R>[], rows: readonly R[]): Markup {
  const side = (column: Column<R>) => column.align ?? 'left'
  const head = columns.map((column) => html`<th scope="col" class="${side(column)}">${column.title}</th>`)
  const body = rows.map((row) => {
    const [first, ...rest] = columns
    const header = first && html`<th scope="row" class="${side(first)}">${cell(first, row)}</th>`
    return html`<tr>${header}${rest.map((c) => html`<td class="${side(c)}">${cell(c, row)}</td>`)}</tr>\n`
  })
  return html`<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}</tbody>\n</table>`
}

/**
 * The table for a terminal, at most `width` characters a line (a character counts as one column). What does not fit
 * beside is continued below, the first column repeated, so that nothing is cut as long as the first column and one more, with what
 * is joined to it, fit side by side.
 */
export function textTable<R>(columns: readonly Column<R>[], rows: readonly R[], width = 80): string {
  const [first, ...rest] = columns
  if (!first) return ''
  const start = renderColumn(first, rows)
  const groups: string[][][] = []
  for (const column of rest) {
    const rendered = renderColumn(column, rows)
    if (column.joined && groups.length > 0) groups.at(-1)!.push(rendered)
    else groups.push([rendered])
  }
  const blocks: string[][][] = [[start]]
  for (const group of groups) {
    const block = blocks.at(-1)!
    if (block.length > 1 && widthOf([...block, ...group]) > width) blocks.push([start, ...group])
    else block.push(...group)
  }
  return blocks.map((block) => rowsOf(block)).join('\n\n')
}

const gap = '  '

/** Title, rule and cells of one column, all padded to the same width. */
function renderColumn<R>(column: Column<R>, rows: readonly R[]): string[] {
  const cells = rows.map((row) => cell(column, row).replace(/\p{Cc}/gu, ' '))
  const width = Math.max(...[column.title, ...cells].map((text) => [...text].length))
  const pad = (text: string) => {
    const space = ' '.repeat(width - [...text].length)
    return column.align === 'right' ? space + text : text + space
  }
  return [pad(column.title), '─'.repeat(width), ...cells.map(pad)]
}

function widthOf(block: readonly string[][]): number {
  return block.reduce((sum, column) => sum + [...column[0]!].length, gap.length * (block.length - 1))
}

function rowsOf(block: readonly string[][]): string {
  return block[0]!
    .map((_, line) =>
      block
        .map((column) => column[line])
        .join(gap)
        .trimEnd(),
    )
    .join('\n')
}
