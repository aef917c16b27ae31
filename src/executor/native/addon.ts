import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { LatheError } from '../../settings/error.ts'
import type { Numbers } from '../executor.ts'

/** An object that lives on the native side. */
export type Handle = { readonly __native: never }

export interface NativeSchedule {
  readonly variant: string
  readonly bf16: number
  readonly groups: number
  /** 1 where what each kernel takes is to be known, else 0. */
  readonly timed: number
  readonly arenaBytes: number
  /** Sequences that a worker works off side by side. */
  readonly together: number
  readonly places: Float64Array
  readonly packs: Float64Array
  readonly steps: Float64Array
  readonly sizes: Float64Array
}

export interface NativeJob {
  readonly executable: Handle
  readonly count: number
  readonly version: number
  readonly parameters: readonly Numbers[]
  readonly inputs: readonly Numbers[]
  readonly states: readonly Numbers[]
  readonly outputs: readonly Numbers[]
}

/** The functions of native/addon.cc. */
export interface Addon {
  variants(): { readonly name: string; readonly supported: boolean }[]
  kernels(): string[]
  device(threads: number): Handle
  compile(schedule: NativeSchedule): Handle
  run(device: Handle, jobs: readonly NativeJob[]): Promise<void>
  /** Runs `out[0]` rounds of multiply-adds on every thread; then `out` is FLOPs and seconds. */
  peak(device: Handle, variant: string, bf16: number, out: Float64Array): Promise<void>
  /** Every thread reads its own `kib` KiB `out[0]` times; then `out` is bytes and seconds. */
  read(device: Handle, variant: string, kib: number, out: Float64Array): Promise<void>
  /** Fills `out` with seconds and sequences of each kernel of a timed executable so far, all threads together. */
  spent(executable: Handle, out: Float64Array): Float64Array
  /** A sum whose number is not 0 is added to its array; then the number is the sum of the squares of what that holds. */
  reduce(
    device: Handle,
    executable: Handle,
    into: readonly (Float32Array | null)[],
    numbers: Float64Array,
  ): Promise<void>
}

const file = fileURLToPath(new URL('../../../native/build/lathe.node', import.meta.url))

/** Whether the addon has been built on this machine. */
export const nativeIsBuilt = (): boolean => existsSync(file)

let loaded: Addon | undefined

/** The addon; a LatheError when it was not built. */
export function loadAddon(): Addon {
  if (!loaded) {
    if (!nativeIsBuilt())
      throw new LatheError(
        'the native executor is not built here: install g++ and make, then run npm start, or choose --executor reference',
      )
    loaded = createRequire(import.meta.url)(file) as Addon
  }
  return loaded
}
