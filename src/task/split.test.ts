import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { contentHash, drawInSplit, splitOf } from './split.ts'
import type { Split } from './task.ts'

const splits: readonly Split[] = ['train', 'validation', 'test']

describe('contentHash', () => {
  // Published answers of MurmurHash3_x86_32 with seed 0.
  it.each([
    [[], 0],
    [[0x87654321], 0xf55b516b],
    [[0x74736574], 0xba6bd213], // "test"
  ])('of %j', (words, hash) => {
    expect(contentHash(words)).toBe(hash)
  })
})

describe('splitOf', () => {
  it('depends on the content alone', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), (content) => {
        expect(splitOf(Int32Array.from(content))).toBe(splitOf(content))
      }),
    )
  })

  it('gives 1/16 to validation and 1/16 to test', () => {
    const counts = { train: 0, validation: 0, test: 0 }
    for (let i = 0; i < 32_000; i++) counts[splitOf([i & 3, (i >> 2) & 3, i >> 4])]++
    for (const held of [counts.validation, counts.test]) expect(Math.abs(held - 2000)).toBeLessThan(180)
  })
})

describe('drawInSplit', () => {
  const key = { seed: 1, split: 'validation', index: 4 } as const
  const identity = (drawn: number[]) => drawn

  it.each(splits)('draws until it has one of %s', (split) => {
    for (let index = 0; index < 200; index++) {
      const drawn = drawInSplit('t', { ...key, split, index }, (random) => [random.integer(1000)], identity)
      expect(splitOf(drawn)).toBe(split)
    }
  })

  it('may split by something else than what is drawn', () => {
    const drawn = drawInSplit(
      't',
      key,
      (random) => ({ id: random.integer(99), free: 1 }),
      ({ id }) => [id],
    )
    expect(splitOf([drawn.id])).toBe('validation')
  })

  it('holds out nothing whose content is null', () => {
    const odd = (split: Split, index: number) =>
      drawInSplit(
        't',
        { ...key, split, index },
        (random) => random.integer(1000),
        (drawn) => (drawn % 2 === 0 ? null : [drawn]),
      )
    const drawn = (split: Split) => Array.from({ length: 200 }, (_, index) => odd(split, index))
    expect(drawn('train').filter((one) => one % 2 === 0).length).toBeGreaterThan(80)
    for (const split of ['validation', 'test'] as const) expect(drawn(split).filter((one) => one % 2 === 0)).toEqual([])
  })

  it('depends on seed, task, split and index', () => {
    const draw = (task: string, change: object) =>
      drawInSplit(task, { ...key, ...change }, (random) => [random.uint32()], identity)[0]
    expect(draw('t', {})).toBe(draw('t', {}))
    const others = [
      draw('t', {}),
      draw('u', {}),
      draw('t', { seed: 2 }),
      draw('t', { split: 'test' }),
      draw('t', { index: 5 }),
    ]
    expect(new Set(others).size).toBe(5)
  })

  it('gives up on a space that cannot fill the split', () => {
    const draw = () => drawInSplit('tiny', key, () => [0], identity)
    expect(splitOf([0])).not.toBe('validation')
    expect(draw).toThrow(LatheError)
    expect(draw).toThrow(/^task tiny: none of 1000 draws belongs to its validation split: there are too few of them/)
  })
})
