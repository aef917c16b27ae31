import { describe, expect, it } from 'vitest'
import { f32, i32, relativeError, type Sample } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input, type Tensor } from '../graph/graph.ts'
import { attentionGradOp, attentionOp } from './attention.ts'
import { type AttentionOptions, attention, slice } from './index.ts'

const samplesOf = (T: number, S: number, width: number, valueWidth = width): Record<string, Sample> => ({
  q: f32([T, width]),
  k: f32([S, width]),
  v: f32([S, valueWidth]),
})

/** Attention of the samples q, k, v, with the samples start, positions and segments where they are there. */
async function attend(samples: Record<string, Sample>, options: AttentionOptions): Promise<number[]> {
  const { y } = await evaluate(samples, ({ q, k, v, ...extra }) => ({
    y: attention(q, k, v, { ...options, ...extra }),
  }))
  return [...y]
}

const expectClose = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  expect(relativeError(Float32Array.from(a), Float32Array.from(b))).toBeLessThan(1e-6)

/** Runs `fn` on q, k and v and checks that its two results are the same. */
async function expectSame(
  samples: Record<string, Sample>,
  fn: (t: Record<string, Tensor>) => { one: Tensor; other: Tensor },
): Promise<void> {
  const { one, other } = await evaluate(samples, fn)
  expectClose(one, other)
}

describe('attention', () => {
  it('mixes values by the softmax of scaled scores', async () => {
    const samples = {
      q: f32([2, 2], [1, 0, Math.log(3), 0]),
      k: f32([2, 2], [0, 5, 1, 5]),
      v: f32([2, 1], [10, 20]),
    }
    expectClose(await attend(samples, { nHeads: 1, scale: 1 }), [10, 17.5]) // weights 1/4 and 3/4
    expectClose(await attend(samples, { nHeads: 1, scale: 2 }), [10, 19]) // 1/10 and 9/10
    const bidirectional = await attend(samples, { nHeads: 1, scale: 1, causal: false })
    expectClose(bidirectional, [(10 + 20 * Math.E) / (1 + Math.E), 17.5])
  })

  it('scales by 1/√K where nothing else is said', async () => {
    const samples = samplesOf(4, 4, 12)
    expectClose(await attend(samples, { nHeads: 3 }), await attend(samples, { nHeads: 3, scale: 0.5 }))
  })

  it('averages what it sees where all scores are equal', async () => {
    const samples = { q: f32([3, 1], [0, 0, 0]), k: f32([3, 1]), v: f32([3, 1], [3, 5, 10]) }
    expectClose(await attend(samples, { nHeads: 1 }), [3, 4, 6])
    expectClose(await attend(samples, { nHeads: 1, causal: false }), [6, 6, 6])
    expectClose(await attend({ ...samples, segments: i32([3], [7, 0, 7]) }, { nHeads: 1 }), [3, 5, 6.5])
  })

  it('sees the past alone when causal, and so starts with the first value', async () => {
    const samples = samplesOf(5, 5, 6, 4)
    const { y, v, part } = await evaluate(samples, ({ q, k, v }) => ({
      v,
      y: attention(q, k, v, { nHeads: 2, ropeBase: 10 }),
      part: attention(slice(q, 0, 0, 3), slice(k, 0, 0, 3), slice(v, 0, 0, 3), { nHeads: 2, ropeBase: 10 }),
    }))
    expectClose(y.subarray(0, 4), v.subarray(0, 4))
    expectClose(y.subarray(0, 12), part)
  })

  it('keeps heads apart', () =>
    expectSame(samplesOf(4, 4, 6, 4), ({ q, k, v }) => ({
      one: slice(attention(q, k, v, { nHeads: 2, ropeBase: 10 }), 1, 2, 2),
      other: attention(slice(q, 1, 3, 3), slice(k, 1, 3, 3), slice(v, 1, 2, 2), { nHeads: 1, ropeBase: 10 }),
    })))

  it('stays finite for large scores', async () => {
    const samples = { q: f32([2, 1], [1e4, 1e4]), k: f32([2, 1], [1e4, -1e4]), v: f32([2, 1], [1, 2]) }
    expect(await attend(samples, { nHeads: 1, causal: false })).toEqual([1, 1])
  })
})

describe('rotary positions', () => {
  it('turn pairs (i, i + K/2) by position · base^(−2i/K)', async () => {
    // One query at row 1 and one key at row 0 of width 4: score = Σ over pairs of |q||k| cos(angle).
    const base = 16
    const samples = { q: f32([1, 4], [1, 1, 0, 0]), k: f32([2, 4], [1, 1, 0, 0, 0, 0, 0, 0]), v: f32([2, 1], [1, 0]) }
    const start = i32([], [1])
    const score = Math.cos(1) + Math.cos(1 / 4)
    const weight = Math.exp(score) / (Math.exp(score) + 1)
    expectClose(await attend({ ...samples, start }, { nHeads: 1, scale: 1, ropeBase: base }), [weight])
  })

  it('count by distance alone', () =>
    expectSame({ ...samplesOf(5, 5, 8), far: i32([5], [100, 101, 102, 103, 104]) }, ({ q, k, v, far }) => ({
      one: attention(q, k, v, { nHeads: 2, ropeBase: 100 }),
      other: attention(q, k, v, { nHeads: 2, ropeBase: 100, positions: far }),
    })))

  it('are the rows where none are given', () =>
    expectSame({ ...samplesOf(4, 4, 8), rows: i32([4], [0, 1, 2, 3]) }, ({ q, k, v, rows }) => ({
      one: attention(q, k, v, { nHeads: 1, ropeBase: 10 }),
      other: attention(q, k, v, { nHeads: 1, ropeBase: 10, positions: rows }),
    })))

  it('leave heads of width 1 as they are', () =>
    expectSame(samplesOf(4, 4, 3), ({ q, k, v }) => ({
      one: attention(q, k, v, { nHeads: 3, ropeBase: 10 }),
      other: attention(q, k, v, { nHeads: 3 }),
    })))

  it('leave the last column of an odd width as it is', () => {
    const column = (t: Tensor) => slice(t, 1, 2, 1)
    const samples = { q: f32([4, 3]), k: f32([4, 3], [0, 0, 1, 0, 0, -2, 0, 0, 0.5, 0, 0, 3]), v: f32([4, 1]) }
    return expectSame(samples, ({ q, k, v }) => ({
      one: attention(q, k, v, { nHeads: 1, ropeBase: 10, scale: 1 }),
      other: attention(column(q), column(k), v, { nHeads: 1, scale: 1 }),
    }))
  })
})

describe('packing and caching', () => {
  it('sequences in segments are as if alone', () => {
    const options = { nHeads: 2, ropeBase: 10 }
    const samples = {
      ...samplesOf(5, 5, 4, 6),
      segments: i32([5], [0, 0, 1, 1, 1]),
      positions: i32([5], [0, 1, 0, 1, 2]),
    }
    return expectSame(samples, ({ q, k, v, segments, positions }) => ({
      one: slice(attention(q, k, v, { ...options, segments, positions }), 0, 2, 3),
      other: attention(slice(q, 0, 2, 3), slice(k, 0, 2, 3), slice(v, 0, 2, 3), options),
    }))
  })

  it.each([true, false])('padding of a segment of its own changes nothing (causal %s)', (causal) => {
    const options = { nHeads: 1, ropeBase: 10, causal }
    return expectSame({ ...samplesOf(5, 5, 4), segments: i32([5], [0, 0, 0, 1, 1]) }, ({ q, k, v, segments }) => ({
      one: slice(attention(q, k, v, { ...options, segments }), 0, 0, 3),
      other: attention(slice(q, 0, 0, 3), slice(k, 0, 0, 3), slice(v, 0, 0, 3), options),
    }))
  })

  it('queries from a start row on are the last rows of the whole', () => {
    const options = { nHeads: 2, ropeBase: 10 }
    // Rows 5 and 6 of the keys are room that is not used yet.
    return expectSame({ ...samplesOf(7, 7, 4), start: i32([], [3]) }, ({ q, k, v, start }) => ({
      one: attention(slice(q, 0, 3, 2), k, v, { ...options, start }),
      other: slice(attention(q, k, v, options), 0, 3, 2),
    }))
  })

  it('does not see keys beyond the queries, bidirectional too', () =>
    expectSame({ ...samplesOf(2, 7, 4), start: i32([], [3]) }, ({ q, k, v, start }) => ({
      one: attention(q, k, v, { nHeads: 1, causal: false, start }),
      other: attention(q, slice(k, 0, 0, 5), slice(v, 0, 0, 5), { nHeads: 1, causal: false }),
    })))
})

describe('its FLOPs', () => {
  const types = (T: number, S: number) => [f32([T, 8]), f32([S, 8]), f32([S, 4])]

  it('count both products, half when causal, twice backward', () => {
    const full = 2 * 5 * 5 * (8 + 4)
    expect(attentionOp.flops!(types(5, 5), { nHeads: 2, causal: false })).toBe(full)
    expect(attentionOp.flops!(types(5, 5), { nHeads: 2, causal: true })).toBe(full / 2)
    expect(attentionGradOp.flops!(types(5, 5), { nHeads: 2, causal: true })).toBe(full)
  })

  it('are whole where queries look back at a cache', () => {
    expect(attentionOp.flops!(types(1, 9), { nHeads: 2, causal: true, start: true })).toBe(2 * 9 * 12)
  })
})

describe('attention refuses', () => {
  type Named = { q?: number[]; k?: number[]; v?: number[] }
  const refused = ({ q = [4, 6], k = [4, 6], v = [4, 6] }: Named, options: Partial<AttentionOptions> = {}) =>
    refusal(() => attention(input('q', q), input('k', k), input('v', v), { nHeads: 2, ...options }))
  const wanted = 'it takes q [T, H·K], k [S, H·K], v [S, H·V] with H = 2, T = S when causal'

  it.each([
    ['keys of another width', { k: [4, 8] }],
    ['a width that heads do not divide', { q: [4, 7], k: [4, 7] }],
    ['values of a width that heads do not divide', { v: [4, 3] }],
    ['another number of values than keys', { v: [5, 6] }],
    ['T ≠ S when causal', { q: [3, 6] }],
    ['a vector', { q: [6] }],
  ] as [string, Named][])('%s', (_, shapes) => {
    const { q = [4, 6], k = [4, 6], v = [4, 6] } = shapes
    const got = [q, k, v].map((s) => `f32[${s.join(', ')}]`).join(' and ')
    expect(refused(shapes)).toBe(`attention got ${got}; ${wanted}`)
  })

  it.each([
    ['a start that is no scalar', () => ({ start: input('start', [1], 'i32') }), 'i32[1]', 'start []'],
    ['a start that is no integer', () => ({ start: input('start', []) }), 'f32[]', 'start []'],
    ['positions of queries alone', () => ({ positions: input('p', [3], 'i32') }), 'i32[3]', 'positions [S]'],
    ['segments that are no integers', () => ({ segments: input('s', [4]) }), 'f32[4]', 'segments [S]'],
  ])('%s', (_, options, got, named) => {
    const q = 'f32[4, 6]'
    expect(
      refusal(() => attention(input('q', [4, 6]), input('k', [4, 6]), input('v', [4, 6]), { nHeads: 2, ...options() })),
    ).toBe(`attention got ${q} and ${q} and ${q} and ${got}; ${wanted}; i32 ${named}, T ≤ S`)
  })

  it('more queries than rows that have a segment', () => {
    const fn = () =>
      attention(input('q', [5, 6]), input('k', [4, 6]), input('v', [4, 6]), {
        nHeads: 2,
        causal: false,
        segments: input('s', [4], 'i32'),
      })
    expect(refusal(fn)).toContain('i32 segments [S], T ≤ S')
  })
})
