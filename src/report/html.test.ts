import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { htmlReport, type ReportOptions } from './html.ts'
import { html } from './markup.ts'

const evil = `<img src=x onerror="alert('1')"> & co`

const options: ReportOptions = {
  title: 'A title',
  summary: ['The finding.', 'More of it.'],
  sections: [
    {
      heading: 'First',
      body: [
        'Plan `1x4` reached 98.4 % in 43 s.',
        { table: html`<table><tr><td>1</td></tr></table>`, caption: 'A table.' },
        { figure: '<svg><g /></svg>', caption: 'A figure.' },
      ],
    },
    {
      heading: 'Second',
      body: [
        { figure: '<svg></svg>', caption: 'Another figure.' },
        { code: 'lathe ls\nlathe show' },
        { summary: 'More', facts: { Processor: 'this `one`' } },
      ],
    },
  ],
  footer: 'The end.',
}

const page = (report: ReportOptions) => parseHTML(htmlReport(report)).document

describe('htmlReport', () => {
  it('writes a whole page with language, viewport and title', () => {
    const text = htmlReport(options)
    expect(text).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
    expect(page(options).title).toBe('A title')
    expect(page(options).querySelectorAll('main section h2')).toHaveLength(2)
  })

  it('needs no network and no script, has a dark mode and a print style', () => {
    const text = htmlReport(options)
    expect(text).not.toMatch(/<script|<link|src=|href=|url\(|@import|https?:/)
    expect(text).toContain("default-src 'none'")
    expect(text).toContain('prefers-color-scheme: dark')
    expect(text).toContain('@media print')
  })

  it('numbers tables and figures through all sections', () => {
    const captions = [...page(options).querySelectorAll('figcaption')].map((node) => node.textContent)
    expect(captions).toEqual(['Table 1. A table.', 'Figure 1. A figure.', 'Figure 2. Another figure.'])
  })

  it('sets code and keeps numbers with their units', () => {
    const document = page(options)
    expect(document.querySelector('section p code')?.textContent).toBe('1x4')
    expect(document.querySelector('section p')?.textContent).toBe('Plan 1x4 reached 98.4\u00a0% in 43\u00a0s.')
    expect(document.querySelector('pre')?.textContent).toBe('lathe ls\nlathe show')
    expect(document.querySelector('dd code')?.textContent).toBe('one')
  })

  it('leaves a lone backtick alone', () => {
    expect(page({ ...options, footer: 'a ` b `c` d' }).querySelector('footer p')?.textContent).toBe('a  b c` d')
    expect(page({ ...options, footer: 'a ` b' }).querySelector('footer p')?.textContent).toBe('a ` b')
  })

  it('escapes text wherever it stands', () => {
    const document = page({
      title: evil,
      summary: [evil],
      sections: [
        {
          heading: evil,
          body: [
            evil,
            `\`${evil}\``,
            { code: evil },
            { figure: '<svg></svg>', caption: evil },
            { summary: evil, facts: { [evil]: evil } },
          ],
        },
      ],
      footer: evil,
    })
    expect(document.querySelector('img')).toBeNull()
    for (const place of [
      'h1',
      '.summary p',
      'h2',
      'section p',
      'section p code',
      'pre',
      'dt',
      'dd',
      'summary',
      'footer p',
    ]) {
      expect(document.querySelector(place)?.textContent, place).toBe(evil)
    }
  })
})
