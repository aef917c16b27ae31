/**
 * What a bench measured: tables and figures, for a terminal and as a page of Markdown.
 */
import { access, constants, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, extname } from 'node:path'
import { ioReason } from '../files/durable-file.ts'
import { type Column, markdownTable, textTable } from '../report/table.ts'
import { LatheError } from '../settings/error.ts'

/** A part of a page. A figure shows on the page alone. */
export interface Block {
  readonly text?: string
  readonly markdown?: string
  /** An SVG with what it shows. */
  readonly figure?: { readonly name: string; readonly caption: string; readonly svg: string }
}

export interface Measured {
  readonly title: string
  readonly json: object
  readonly blocks: readonly Block[]
  /** Whether something was wrong, for the exit code. */
  readonly failed?: boolean
}

export const table = <R>(columns: readonly Column<R>[], rows: readonly R[]): Block => ({
  text: textTable(columns, rows, process.stdout.columns ?? 80),
  markdown: markdownTable(columns, rows),
})

export const sentence = (text: string): Block => ({ text, markdown: text })

/** What the columns are, which a page says and a terminal does not repeat. */
export const legend = (text: string): Block => ({ markdown: text })

export const printedText = (blocks: readonly Block[]): string =>
  blocks.flatMap(({ text }) => (text === undefined ? [] : [`${text}\n`])).join('\n')

/** Throws a LatheError where a page could not be written: before it is measured for minutes. */
export async function expectWritable(file: string): Promise<void> {
  const isFolder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) throw new LatheError(`--out: ${file} is a folder: name a file in it`)
  await access(dirname(file), constants.W_OK).catch((error) => {
    throw new LatheError(`--out: cannot write ${file}: ${ioReason(error)}`)
  })
}

/** Writes the page, and its figures beside it as FILE-NAME.svg. Throws a LatheError where it cannot. */
export async function writePage(file: string, { title, blocks }: Measured, facts: string): Promise<void> {
  const stem = file.slice(0, file.length - extname(file).length)
  const figures = blocks.flatMap(({ figure }) => (figure ? [{ ...figure, file: `${stem}-${figure.name}.svg` }] : []))
  const parts = blocks.flatMap(({ markdown, figure }) => [
    ...(markdown === undefined ? [] : [markdown]),
    ...(figure ? [`![${figure.caption}](${basename(stem)}-${figure.name}.svg)`] : []),
  ])
  try {
    await writeFile(file, `# ${title}\n\n${[facts, ...parts].join('\n\n')}\n`)
    for (const { file, svg } of figures) await writeFile(file, svg)
  } catch (error) {
    throw new LatheError(`--out: cannot write ${file}: ${ioReason(error)}`)
  }
}
