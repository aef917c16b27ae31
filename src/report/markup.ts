/** A piece of HTML that is safe to write as it is. Made by the tag `html`, or by hand from markup of our own. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What may stand in a `${…}` of the tag `html`. */
export type MarkupValue = string | number | Markup | undefined | readonly MarkupValue[]

/**
 * Template tag for HTML: text is escaped, `Markup` goes in as it is, lists are joined, `undefined` is nothing.
 *
 * @example
 * html`<p>${'1 < 2'}</p>`.text // '<p>1 &lt; 2</p>'
 */
export function html(strings: TemplateStringsArray, ...values: MarkupValue[]): Markup {
  return new Markup(strings.map((string, i) => string + (i < values.length ? write(values[i]) : '')).join(''))
}

function write(value: MarkupValue): string {
  if (value === undefined) return ''
  if (value instanceof Markup) return value.text
  if (typeof value === 'object') return value.map(write).join('')
  return escapeHtml(String(value))
}

/** Escapes text for HTML content and for attributes in double or single quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
