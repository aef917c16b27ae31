import { describe, expect, it } from 'vitest'
import { escapeHtml, html, Markup } from './markup.ts'

describe('html', () => {
  it('escapes text, in content and in attributes', () => {
    const evil = `"><script>alert('1' & 2)</script>`
    const { text } = html`<a title="${evil}">${evil}</a>`
    expect(text).not.toContain('<script')
    expect(text.match(/"/g)).toHaveLength(2)
    expect(escapeHtml(`<>&"'`)).toBe('&#60;&#62;&#38;&#34;&#39;')
  })

  it('takes markup as it is, joins lists, drops what is undefined, keeps numbers', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
    expect(html`<ul>${items}</ul>${undefined}${0}${new Markup('<hr>')}`.text).toBe(
      '<ul><li>a</li><li>&#60;b&#62;</li></ul>0<hr>',
    )
  })
})
