import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { gridPlaces } from '../bench/grid.ts'
import { pickModels } from '../bench/models.ts'
import { nativeIsBuilt, referenceExecutor } from '../executor/index.ts'
import { measureGrid } from './bench-grid.ts'
import { expectWritable, type Measured, printedText, writePage } from './bench-page.ts'
import { measureProfiles } from './bench-profile.ts'
import { measureScaling } from './bench-scaling.ts'
import { peersTable } from './bench-tables.ts'

// what is timed is tested beside it: here every number is made up
vi.mock(import('../bench/grid.ts'), async (original) => ({
  ...(await original()),
  timePoint: async (place) => {
    const picosecondsPerFlop = place.base === 'S' && place.axis === 'length' && place.value === 17 ? 4 : 1
    return { ...place, batch: 2, milliseconds: 20, picosecondsPerFlop, drift: place.value === 33 ? 0.1 : 0.01 }
  },
}))
vi.mock(import('../bench/scaling.ts'), async (original) => ({
  ...(await original()),
  scaleLoops: async () => ({
    points: [{ loops: 1, msPerStep: 10, residual: -0.02 }],
    intercept: 3,
    slope: 6.8,
  }),
  scaleThreads: async () => ({ one: 20, all: 10, speedup: { ratio: 2, drift: -0.2 } }),
  compareUntied: async () => ({
    tied: { msPerStep: 10, bytes: 4e7 },
    untied: { msPerStep: 10, bytes: 8e7 },
    time: { ratio: 1, drift: 0.01 },
  }),
}))

vi.mock(import('../bench/profile.ts'), async (original) => ({
  ...(await original()),
  profileStep: async () => ({
    msPerStep: 20,
    rows: [
      { kernel: 'matmul', detail: '32 × 128 × 512', ms: 15, share: 0.75, rate: 1e11 },
      { kernel: 'elementwise', detail: 'mul add mul add mul add sqrt div', ms: 3, share: 0.15 },
      { kernel: 'norm', detail: '', ms: 0.1, share: 0.005 },
      { kernel: 'embed', detail: '', ms: 0.1, share: 0.005 },
    ],
    elsewhere: 0.09,
  }),
}))

const options = { executor: referenceExecutor(), seed: 0, seconds: 1, say: () => {} }

async function pageOf(measured: Measured): Promise<{ page: string; files: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-page-'))
  await writePage(join(folder, 'bench.md'), measured, 'Facts.')
  const [page, files] = [await readFile(join(folder, 'bench.md'), 'utf8'), await readdir(folder)]
  await rm(folder, { recursive: true })
  return { page, files: files.sort() }
}

it('the grid is a table and a figure a base, and names its cliffs', async () => {
  const said: string[] = []
  const measured = await measureGrid({ ...options, say: (line) => said.push(line) })
  expect(said).toHaveLength(gridPlaces().length)
  expect((measured.json as { grid: object[] }).grid).toHaveLength(gridPlaces().length)
  const text = printedText(measured.blocks)
  expect(text).toMatch(/T 17 +2 +20\.0 ms +250 GFLOP\/s +4\.00× +steady +cliff/)
  expect(text).toMatch(/T 33 .* noisy/)
  expect(text).toContain('S T 17 (4.0× 16)')
  const { page, files } = await pageOf(measured)
  expect(files).toEqual(['bench-P.svg', 'bench-S.svg', 'bench.md'])
  expect(page).toContain('# What a FLOP costs at many shapes\n\nFacts.\n\nForward, backward and the sum')
  expect(page).toContain('\n\n| S with |')
  expect(page).toContain('](bench-S.svg)')
})

it('scaling is the fit, the threads and the memory', async () => {
  const measured = await measureScaling({ ...options, models: pickModels('S,L'), flags: {} })
  expect(measured.json).toMatchObject({
    loops: { intercept: 3 },
    threads: { S: { speedup: { ratio: 2 } }, L: { one: 20 } },
  })
  const text = printedText(measured.blocks)
  expect(text).toContain('Fitted: 3.0 ms + 6.8 ms a loop; the furthest point is 2.0 % off the line.')
  expect(text).toMatch(/^ +1 +10\.0 ms +−2\.0 %$/m)
  expect(text).toMatch(/^S +20\.0 ms +10\.0 ms +2\.00× +noisy$/m)
  expect(text).toContain('L takes 1.000× the time (steady) and 0.50× the memory.')
  expect((await pageOf(measured)).files).toEqual(['bench-loops.svg', 'bench.md'])
})

it.runIf(nativeIsBuilt())('a profile is a table a model, with what is short added up', async () => {
  const measured = await measureProfiles({ models: pickModels('S,L'), flags: { seconds: 1 }, say: () => {} })
  const text = printedText(measured.blocks)
  for (const model of ['S', 'L']) expect(text).toContain(`A step of ${model} takes 20.0 ms`)
  expect(text).toMatch(/^matmul 32 × 128 × 512 +15\.0 ms +75\.0 % +100 GFLOP\/s +[\d.]+ %$/m)
  expect(text).toMatch(/^elementwise mul add mul add mul … +3\.0 ms +15\.0 % +– +–$/m)
  expect(text).toMatch(/^2 shorter ones +0\.2 ms +1\.0 % /m)
  expect(text).toMatch(/^elsewhere +1\.8 ms +9\.0 % /m)
  expect(measured.json).toMatchObject({ profile: { S: { msPerStep: 20 } } })
})

it('peers are a table of their times and of how many times as long as Lathe they take, in turn', () => {
  const timing = { msPerStep: 10, teraflops: 1, tokensPerSecond: 1, drift: 0, noisy: [] }
  const results = {
    steady: { ms: 31, beside: { ratio: 3, drift: 0.04 } },
    wild: { ms: 40, beside: { ratio: 4, drift: 0.06 }, batch: 2 },
    broken: { failed: 'MemoryError' },
    off: { disagrees: 0.5 },
  }
  const peers = Object.keys(results).map((name) => {
    return { library: name, name, precision: 'f32' as const, command: ['x'] as const, variant: '' }
  })
  const text = printedText(peersTable({ S: { ...timing, results }, L: timing }, peers))
  expect(text).toMatch(/^Lathe +10\.0 ms +1\.00×$/m)
  expect(text).toMatch(/^steady +31\.0 ms +3\.00×$/m)
  expect(text).toMatch(/^wild +40\.0 ms +4\.00× \(batch 2, noisy\)$/m)
  expect(text).toMatch(/^broken +failed$/m)
  expect(text).toMatch(/^off +disagrees: 50\.0 %$/m)
  expect(text).toContain('S: broken failed: MemoryError')
})

it('a page that cannot be written says so, and is asked before it is measured', async () => {
  const said = (promise: Promise<void>) => promise.then(() => 'nothing').catch((error: Error) => error.message)
  const nowhere = '/nowhere/at/all.md'
  const refused = '--out: cannot write /nowhere/at/all.md: no such file or folder (ENOENT)'
  expect(await said(writePage(nowhere, { title: '', json: {}, blocks: [] }, ''))).toBe(refused)
  expect(await said(expectWritable(nowhere))).toBe(refused)
  expect(await said(expectWritable(tmpdir()))).toBe(`--out: ${tmpdir()} is a folder: name a file in it`)
  expect(await said(expectWritable(join(tmpdir(), 'a page.md')))).toBe('nothing')
})
