import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { crash } from './crash.fixture.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-crash-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('a training that is killed in its saves and at any time ends byte for byte as one that was not', async () => {
  const { kills, atCalls, calls } = await crash({ folder, kills: 4, seed: 1, jobs: 2 })
  expect([kills, atCalls]).toEqual([4, 2])
  expect(calls).toBeGreaterThan(50)
}, 120_000)
