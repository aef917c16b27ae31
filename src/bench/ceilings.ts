/**
 * What this machine could do at most: multiply-adds a second, and bytes read a second from each level of memory.
 */
import { type Executor, nativePeak, nativeReadRate } from '../executor/index.ts'
import { mostDrift } from './measure.ts'

/** What every thread reads again and again, in KiB: small enough for its level and too large for the one before. */
const workingSets = {
  L1: () => 16,
  L2: () => 256,
  L3: () => 4096,
  DRAM: (threads: number) => Math.max(65_536, Math.floor(262_144 / threads)),
}
export type MemoryLevel = keyof typeof workingSets

export interface Ceilings {
  /** FLOP/s; absent where the CPU has no instruction for it. */
  readonly f32?: number
  readonly bf16?: number
  /** Bytes/s by where a thread's working set of `kib` KiB fits; levels as on a server CPU of today. */
  readonly read: Readonly<Record<MemoryLevel, { readonly kib: number; readonly rate: number }>>
}

/** Ceilings of all the executor's threads together; undefined for an executor that is not native. */
export async function measureCeilings({ name, threads }: Executor): Promise<Ceilings | undefined> {
  if (name !== 'native') return undefined
  const [f32, bf16] = [await nativePeak('f32', threads), await nativePeak('bf16', threads)]
  const read: [string, { kib: number; rate: number }][] = []
  for (const [level, size] of Object.entries(workingSets)) {
    const kib = size(threads)
    read.push([level, { kib, rate: await nativeReadRate(kib, threads) }])
  }
  return { f32, bf16, read: Object.fromEntries(read) as Ceilings['read'] }
}

/** Measured before and after what is timed. */
export type RunCeilings = readonly [before: Ceilings, after: Ceilings]

/** The higher of two measurements, each: a ceiling is what the machine could do at some time of a run. */
export function highest([a, b]: RunCeilings): Ceilings {
  const most = (x?: number, y?: number): number | undefined => (x === undefined ? y : Math.max(x, y ?? 0))
  const levels = Object.entries(a.read).map(([level, { kib, rate }]) => {
    return [level, { kib, rate: Math.max(rate, b.read[level as MemoryLevel].rate) }]
  })
  return { f32: most(a.f32, b.f32), bf16: most(a.bf16, b.bf16), read: Object.fromEntries(levels) as Ceilings['read'] }
}

const leastAmxPerCore = 2.2e12

/** Why what was measured on this machine should not be quoted, in words; empty where it was steady. */
export function noise(
  { isa, threads }: Pick<Executor, 'isa' | 'threads'>,
  ceilings: RunCeilings | undefined,
  drift: number,
): string[] {
  const amx = Math.min(...(ceilings ?? []).map(({ bf16 }) => bf16 ?? Number.POSITIVE_INFINITY)) / threads
  return [
    ...(isa === 'amx' && amx < leastAmxPerCore ? [`the AMX ceiling is ${(amx / 1e12).toFixed(2)} TFLOP/s a core`] : []),
    ...(Math.abs(drift) > mostDrift
      ? [`earlier and later runs differ by ${(100 * Math.abs(drift)).toFixed(0)} %`]
      : []),
  ]
}
