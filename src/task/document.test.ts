import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { listSettings } from '../settings/settings.ts'
import { createTask, tasks } from './index.ts'

const page = await readFile(new URL('../../docs/tasks.md', import.meta.url), 'utf8')
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => [/^`([^`]+)`/.exec(text)![1], text]),
)
const inner = ['dummy-first', 'slots'] // share a section, and settings with the task inside

describe.each([...tasks.values()].filter(({ name }) => !inner.includes(name)))('docs/tasks.md on $name', (task) => {
  const text = sections.get(task.name) ?? ''

  it('lists the settings that there are, in their words', () => {
    const quoted = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
    const wanted = listSettings(task.settings).map(({ path, default: fallback, description }) => {
      return `| \`${path}\` | ${fallback === undefined ? '' : `\`${quoted(fallback)}\` `}| ${description} |`
    })
    expect(text.match(/^\| `.*$/gm)).toEqual(wanted)
  })

  it('gives examples with the answers that the task gives', () => {
    const blocks = [...text.matchAll(/^```jsonl(.*)\n([^`]+)```$/gm)]
    expect(blocks.length).toBeGreaterThan(0)
    for (const [, changed, lines] of blocks) {
      const settings = [...changed.matchAll(/(\w+)=(\S+)/g)].map(([, key, value]) => [
        key,
        JSON.parse(value.replace(/^[a-z].*/, '"$&"')),
      ])
      const example = createTask({ name: task.name, ...Object.fromEntries(settings) })
      for (const line of lines.trim().split('\n')) {
        const { input, target } = JSON.parse(line)
        expect(example.format(example.parse({ input })), input).toEqual({ input, target })
      }
    }
  })
})

it('docs/tasks.md names every task', () => {
  for (const name of tasks.keys()) expect(page).toMatch(new RegExp(`^## .*\`${name}\``, 'm'))
})
