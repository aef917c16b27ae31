/**
 * One report as one HTML page that needs nothing else: no network, no script, light and dark, printable.
 * @module
 */
import { reportStyle } from './html-style.ts'
import { html, Markup } from './markup.ts'

/** A piece of a section: a paragraph, a listing, a numbered table or figure, facts that fold away. */
export type ReportBlock =
  | string
  | { code: string }
  | { table: Markup; caption: string }
  /** An SVG made by this project; it goes in as it is. */
  | { figure: string; caption: string }
  | { summary: string; facts: Readonly<Record<string, string>> }

export interface ReportSection {
  heading: string
  body: readonly ReportBlock[]
}

export interface ReportOptions {
  title: string
  /** Sentences, each its own paragraph, the finding first. */
  summary: readonly string[]
  sections: readonly ReportSection[]
  footer: string
}

/** Writes the page. All text is escaped; in paragraphs, captions and facts, text between backticks is set as code. */
export function htmlReport({ title, summary, sections, footer }: ReportOptions): string {
  const write = blockWriter()
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Markup(reportStyle)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<div class="summary">
${summary.map(paragraph)}</div>
${sections.map(({ heading, body }) => html`<section>\n<h2>${heading}</h2>\n${body.map(write)}</section>\n`)}</main>
<footer>${paragraph(footer)}</footer>
</body>
</html>
`.text
}

/** Writes blocks one after another and numbers tables and figures as they come. */
function blockWriter(): (block: ReportBlock) => Markup {
  let tables = 0
  let figures = 0
  return (block) => {
    if (typeof block === 'string') return paragraph(block)
    if ('code' in block) return html`<pre tabindex="0"><code>${block.code}</code></pre>\n`
    if ('table' in block) return captioned(`Table ${++tables}`, 'table', block.table, block.caption)
    if ('figure' in block) return captioned(`Figure ${++figures}`, 'picture', new Markup(block.figure), block.caption)
    return html`<details><summary>${block.summary}</summary>\n<dl>\n${Object.entries(block.facts).map(
      ([name, value]) => html`<dt>${name}</dt><dd>${prose(value)}</dd>\n`,
    )}</dl></details>\n`
  }
}

function captioned(name: string, kind: string, content: Markup, caption: string): Markup {
  return html`<figure>
<div class="${kind}" tabindex="0" role="group" aria-label="${name}">${content}</div>
<figcaption><b>${name}.</b> ${prose(caption)}</figcaption>
</figure>
`
}

function paragraph(text: string): Markup {
  return html`<p>${prose(text)}</p>\n`
}

/** Text with `code` between backticks set as code, and each number kept on one line with its unit. */
function prose(text: string): Markup {
  const parts = text.split('`').map((part, i, all) => {
    if (i % 2 === 0) return part.replace(beforeUnit, '\u00a0')
    // a backtick that is never closed is text
    return i < all.length - 1 ? html`<code>${part}</code>` : `\`${part}`
  })
  return html`${parts}`
}

const beforeUnit = /(?<=\d) (?=%|(?:[kMGTPEZY]?FLOP|[kMGTPEZY]|[dhms]|points?|loops?|steps?)\b)/g
