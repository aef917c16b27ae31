import { expect, it } from 'vitest'
import { nativeIsBuilt, nativePeak, nativeReadRate, referenceExecutor } from '../executor/index.ts'
import { type Ceilings, highest, measureCeilings, noise, type RunCeilings } from './ceilings.ts'

it.runIf(nativeIsBuilt())('ceilings are rates, and a cache is read faster than memory', async () => {
  expect(await nativePeak('f32', 1)).toBeGreaterThan(1e9)
  const [cache, memory] = [await nativeReadRate(16, 1), await nativeReadRate(65_536, 1)]
  expect(memory).toBeGreaterThan(1e8)
  expect(cache).toBeGreaterThan(memory)
})

it('the reference executor has no ceiling', async () => {
  expect(await measureCeilings(referenceExecutor())).toBeUndefined()
})

it('a ceiling is the higher of two measurements, level by level', () => {
  const read = (rate: number) =>
    ({ L1: { kib: 16, rate }, L2: { kib: 256, rate: 2 * rate } }) as unknown as Ceilings['read']
  const [a, b] = [
    { f32: 2, read: read(3) },
    { f32: 1, bf16: 5, read: read(4) },
  ]
  expect(highest([a, b])).toEqual({ f32: 2, bf16: 5, read: read(4) })
  expect(highest([b, a])).toEqual({ f32: 2, bf16: 5, read: read(4) })
  expect(highest([a, a])).toEqual({ ...a, bf16: undefined })
})

const ceilings = (bf16?: number, after = bf16) =>
  [
    { f32: 1e11, bf16 },
    { f32: 1e11, bf16: after },
  ] as unknown as RunCeilings

it.each<[string, { isa: string; threads: number }, RunCeilings | undefined, number, string[]]>([
  ['steady', { isa: 'amx', threads: 2 }, ceilings(4.5e12), -0.04, []],
  ['slow tiles', { isa: 'amx', threads: 2 }, ceilings(4.3e12), 0, ['the AMX ceiling is 2.15 TFLOP/s a core']],
  [
    'slow tiles in the end',
    { isa: 'amx', threads: 2 },
    ceilings(4.5e12, 1e12),
    0,
    ['the AMX ceiling is 0.50 TFLOP/s a core'],
  ],
  ['no tiles', { isa: 'avx512', threads: 2 }, ceilings(1e12), 0.05, []],
  ['uneven', { isa: 'avx2', threads: 2 }, ceilings(), -0.12, ['earlier and later runs differ by 12 %']],
  ['uneven reference', { isa: 'none', threads: 1 }, undefined, 0.06, ['earlier and later runs differ by 6 %']],
])('noise: %s', (_, machine, measured, drift, wanted) => {
  expect(noise(machine, measured, drift)).toEqual(wanted)
})
