import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import { checkRun, checkSums } from './checks.ts'
import { DEFAULT_GROUPS, groupRange, type Run } from './executor.ts'

describe('groupRange', () => {
  it('cuts a batch into consecutive parts whose sizes differ by at most one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 100 }), (count, groups) => {
        const ranges = Array.from({ length: groups }, (_, g) => groupRange(count, groups, g))
        expect(ranges[0][0]).toBe(0)
        expect(ranges.at(-1)![1]).toBe(count)
        for (let g = 1; g < groups; g++) expect(ranges[g][0]).toBe(ranges[g - 1][1])
        const sizes = ranges.map(([start, end]) => end - start)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
      { seed: 1 },
    )
  })

  it('has a default that no machine changes', () => {
    expect(DEFAULT_GROUPS).toBe(8)
  })
})

const f32 = (name: string, ...shape: number[]) => ({ name, shape, dtype: 'f32' as const, value: 0 })
const i32 = (name: string, ...shape: number[]) => ({ name, shape, dtype: 'i32' as const, value: 0 })
const program: Program = {
  name: 'train',
  values: [],
  instructions: [],
  parameters: [f32('w', 2, 3)],
  inputs: [i32('ids', 4), f32('scale')],
  states: [{ ...f32('kv', 2, 5), value: 1 }],
  outputs: [f32('y', 3)],
  sums: [f32('loss'), f32('grad:w', 2, 3)],
}
const good: Run = {
  count: 2,
  parameters: { w: new Float32Array(6) },
  inputs: { ids: new Int32Array(8), scale: new Float32Array(2) },
  states: { kv: new Float32Array(20) },
}

describe('checkRun', () => {
  it('takes arrays that fit, with outputs, without, and with more than it needs', () => {
    checkRun(program, good)
    checkRun(program, { ...good, outputs: { y: new Float32Array(6) } })
    checkRun(program, { ...good, parameters: { ...good.parameters, other: new Float32Array(1) } })
  })

  it('takes no sequence at all', () => {
    const empty = { ids: new Int32Array(0), scale: new Float32Array(0) }
    checkRun(program, { ...good, count: 0, inputs: empty, states: { kv: new Float32Array(0) } })
  })

  it.each<[Partial<Run>, string]>([
    [{ parameters: {} }, 'parameter w must be 1 × f32[2, 3], got nothing'],
    [{ parameters: { w: new Float32Array(12) } }, 'parameter w must be 1 × f32[2, 3], got Float32Array of 12'],
    [{ inputs: { scale: new Float32Array(2) } }, 'input ids must be 2 × i32[4], got nothing'],
    [{ inputs: { ...good.inputs, ids: new Float32Array(8) } }, 'input ids must be 2 × i32[4], got Float32Array of 8'],
    [
      { inputs: { ...good.inputs, scale: new Float32Array(1) } },
      'input scale must be 2 × f32[], got Float32Array of 1',
    ],
    [{ states: undefined }, 'state kv must be 2 × f32[2, 5], got nothing'],
    [{ outputs: { y: new Float32Array(3) } }, 'output y must be 2 × f32[3], got Float32Array of 3'],
    [{ count: -1 }, 'a run of -1 sequences'],
    [{ count: 0.5 }, 'a run of 0.5 sequences'],
    [{ count: Number.NaN }, 'a run of NaN sequences'],
  ])('refuses %o', (wrong, message) => {
    expect(() => checkRun(program, { ...good, ...wrong })).toThrow(new LatheError(`train: ${message}`))
  })
})

describe('checkSums', () => {
  it('takes some sums, all, or none', () => {
    checkSums(program, {})
    checkSums(program, { loss: new Float32Array(1) })
    checkSums(program, { loss: new Float32Array(1), 'grad:w': new Float32Array(6) })
  })

  it('names a sum that is not there, and those that are', () => {
    expect(() => checkSums(program, { 'grad:v': new Float32Array(6) })).toThrow(
      new LatheError('train has no sum grad:v; it has loss, grad:w'),
    )
  })

  it('names a sum of another size, or whose array is of another kind', () => {
    expect(() => checkSums(program, { 'grad:w': new Uint8Array(6) as never })).toThrow(
      new LatheError('train: the sum grad:w is f32[2, 3], what is given is no Float32Array'),
    )
    expect(() => checkSums(program, { 'grad:w': new Float32Array(5) })).toThrow(
      new LatheError('train: the sum grad:w is f32[2, 3], the array given has 5'),
    )
  })
})
