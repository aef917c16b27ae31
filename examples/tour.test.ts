import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const file = (path: string) => new URL(`../${path}`, import.meta.url).pathname

it('the tour in the README is this file, to the letter', async () => {
  const readme = await readFile(file('README.md'), 'utf8')
  const code = /```ts\n(import [\s\S]*?)```/.exec(readme)?.[1]
  expect(code).toBe(await readFile(file('examples/tour.ts'), 'utf8'))
})

it('the tour runs and leaves a run that can be measured', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-tour-'))
  try {
    const args = [file('scripts/run.js'), file('examples/tour.ts'), join(folder, 'run')]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(stdout).toContain('4,4x4,4: 12 layers, 24 deep, beside 24')
    expect(stdout).toContain('= repeat(')
    expect(stdout).toMatch(/20 steps of 1x3: loss \d\.\d{3}, in /)
    expect(await readdir(join(folder, 'run', 'checkpoints'))).toEqual(['step-20'])
  } finally {
    await rm(folder, { recursive: true })
  }
})
