import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { fnv1a, RandomStream, threefry2x32 } from './random.ts'

const draws = (stream: RandomStream, count: number) => Array.from({ length: count }, () => stream.uint32())
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Pearson's statistic of counts that should be equal. */
function chiSquared(counts: readonly number[]): number {
  const expected = mean(counts)
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

describe('threefry2x32', () => {
  // The known answers that Random123 publishes for 20 rounds.
  it.each([
    [0, 0, 0, 0, '6b200159 99ba4efe'],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, '1cb996fc bb002be7'],
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 'c4923a9c 483df7a0'],
  ])('key %i %i, counter %i %i', (key0, key1, counter0, counter1, answer) => {
    const out = new Uint32Array(2)
    threefry2x32(key0, key1, counter0, counter1, out)
    expect([...out].map((word) => word.toString(16)).join(' ')).toBe(answer)
  })
})

describe('fnv1a', () => {
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('of %j', (text, hash) => {
    expect(fnv1a(text)).toBe(hash)
  })
})

describe('RandomStream', () => {
  it('is threefry of 0, 1, 2, … under the chained key', () => {
    const key = new Uint32Array(2)
    threefry2x32(0, 0, 7, 0, key)
    threefry2x32(key[0]!, key[1]!, fnv1a('phop'), 0x80000000, key)
    threefry2x32(key[0]!, key[1]!, 1, 2, key)
    const blocks = [0, 1, 2].flatMap((block) => {
      const out = new Uint32Array(2)
      threefry2x32(key[0]!, key[1]!, block, 0xc0000000, out)
      return [...out]
    })
    expect(draws(new RandomStream(7, 'phop', 2 * 2 ** 32 + 1), 6)).toEqual(blocks)
  })

  it('depends on seed and path alone', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.array(fc.oneof(fc.maxSafeNat(), fc.string())), fc.nat(9), (seed, path, drawn) => {
        const whole = new RandomStream(seed, ...path)
        const parent = new RandomStream(seed, ...path.slice(0, 1))
        draws(parent, drawn)
        const forked = parent.fork(...path.slice(1))
        expect(draws(forked, 5)).toEqual(draws(whole, 5))
      }),
    )
  })

  it('differs between any two paths', () => {
    const streams = [
      new RandomStream(0),
      new RandomStream(1),
      new RandomStream(2 ** 32),
      new RandomStream(0, 0),
      new RandomStream(0, 1),
      new RandomStream(1, 0),
      new RandomStream(0, 2 ** 32),
      new RandomStream(0, 'a'),
      new RandomStream(0, fnv1a('a')),
      new RandomStream(0, ''),
      new RandomStream(0, 'a', 'b'),
      new RandomStream(0, 'ab'),
      new RandomStream(0, 'b', 'a'),
    ]
    expect(new Set(streams.map((stream) => draws(stream, 2).join())).size).toBe(streams.length)
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses %d as seed or in a path', (number) => {
    expect(() => new RandomStream(number)).toThrow(LatheError)
    expect(() => new RandomStream(0, 'a', number)).toThrow('cannot seed random numbers: use a whole number')
    expect(() => new RandomStream(0).fork(number)).toThrow(LatheError)
  })

  it('draws words whose every bit is fair', () => {
    const stream = new RandomStream(1, 'bits')
    const ones = new Array<number>(32).fill(0)
    for (let i = 0; i < 20_000; i++) {
      const word = stream.uint32()
      for (let bit = 0; bit < 32; bit++) ones[bit]! += (word >>> bit) & 1
    }
    for (const count of ones) expect(Math.abs(count - 10_000)).toBeLessThan(4 * Math.sqrt(5000))
  })

  it('draws uniform numbers in [0, 1) with 53 bits', () => {
    const stream = new RandomStream(2, 'uniform')
    const values = Array.from({ length: 50_000 }, () => stream.uniform())
    expect(values.every((value) => value >= 0 && value < 1 && Number.isInteger(value * 2 ** 53))).toBe(true)
    expect(values.some((value) => !Number.isInteger(value * 2 ** 51))).toBe(true)
    expect(mean(values)).toBeCloseTo(1 / 2, 2)
    expect(mean(values.map((value) => (value - 0.5) ** 2))).toBeCloseTo(1 / 12, 2)
    const bins = new Array<number>(100).fill(0)
    for (const value of values) bins[Math.floor(value * 100)]!++
    expect(chiSquared(bins)).toBeLessThan(160)
  })

  it.each([1, 2, 3, 5, 26, 100])('draws integers below %i, each as often', (n) => {
    const stream = new RandomStream(3, 'integer', n)
    const counts = new Array<number>(n).fill(0)
    for (let i = 0; i < 1000 * n; i++) counts[stream.integer(n)]!++
    expect(counts.length).toBe(n)
    expect(chiSquared(counts)).toBeLessThan(n + 5 * Math.sqrt(2 * n))
  })

  it('draws integers up to 2^32 without bias to the small', () => {
    const n = 3 * 2 ** 30
    const stream = new RandomStream(4)
    const values = Array.from({ length: 20_000 }, () => stream.integer(n))
    expect(Math.max(...values)).toBeLessThan(n)
    expect(mean(values) / n).toBeCloseTo(0.5, 2)
    const bins = new Array<number>(6).fill(0)
    for (const value of values) bins[Math.floor((6 * value) / n)]!++
    expect(chiSquared(bins)).toBeLessThan(25)
    expect(new RandomStream(5).integer(2 ** 32)).toBe(new RandomStream(5).uint32())
  })

  it.each([0, -3, 1.5, 2 ** 32 + 1, Number.NaN])('draws no integer below %d', (n) => {
    expect(() => new RandomStream(0).integer(n)).toThrow(RangeError)
  })

  it('draws normal numbers', () => {
    const stream = new RandomStream(6, 'normal')
    const values = Array.from({ length: 100_000 }, () => stream.normal())
    expect(values.every(Number.isFinite)).toBe(true)
    for (const [power, moment] of [0, 1, 0, 3].entries()) {
      expect(Math.abs(mean(values.map((value) => value ** (power + 1))) - moment)).toBeLessThan(0.06)
    }
    const within = (bound: number) => mean(values.map((value) => (Math.abs(value) < bound ? 1 : 0)))
    expect(within(1)).toBeCloseTo(0.6827, 2)
    expect(within(2)).toBeCloseTo(0.9545, 2)
    expect(Math.abs(mean(values.map((value, i) => value * (values[i + 1] ?? 0))))).toBeLessThan(0.015)
  })

  it('shuffles into every order as often, in place', () => {
    const stream = new RandomStream(8, 'shuffle')
    const counts = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const order = stream.shuffle([0, 1, 2, 3]).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    expect(chiSquared([...counts.values()])).toBeLessThan(60)

    const items = Int32Array.from({ length: 1000 }, (_, i) => i)
    expect(stream.shuffle(items)).toBe(items)
    expect(items.toSorted()).toEqual(Int32Array.from({ length: 1000 }, (_, i) => i))
    expect(stream.shuffle([])).toEqual([])
  })
})
