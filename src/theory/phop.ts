/**
 * p-hop by one looped layer (Saunshi et al. 2025, arXiv 2502.17416, Corollary 5.3, after Sanford et al. 2024,
 * arXiv 2402.09268). n letters after `#`, which is also what is found where a hop is undefined.
 *
 * The address of a position is its letter and how often that letter has stood so far. It is what a pointer holds, because
 * one attention step from the pointer's address can go to the position itself, or to the one that it hops to: that one
 * comes after the address of the same letter, counted one less. So a position that knows find_m of itself finds, at the
 * pointer or one hop on, that position's find_m, and the pointers double: m becomes 2m or 2m + 1, p's next binary digit.
 */
import { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { hops } from '../task/phop/definition.ts'
import { generate } from '../task/phop/generate.ts'
import type { RandomStream } from '../tensor/random.ts'
import type { Construction } from './construction.ts'
import { buildLooped, code, columnPairs, type Head, pass, scaled, type Unit } from './hand-built.ts'
import type { Entries } from './weight-blocks.ts'

export interface PHopSettings {
  readonly p: number
  readonly n: number
  /** Letters. */
  readonly alphabet: number
}

/** One unit of a score: a bit of a letter that differs costs two of it, and softmax then is 1 and 0 in f32. */
const sharpness = 64

/** Beyond any pre-activation of a unit, so that it closes a gate. */
const closed = -(2 ** 20)

/** Ours: as far as it was tried. Counts, read from 1 / (count + 1), are then exact to 2 · 10⁻⁴ in f32. */
const maxLength = 1024

/**
 * Where everything stands in the state. An address has b columns of a letter's code, all 0 for `#`, and s of a count's;
 * a pointer has s more, of that count less one.
 */
function layout({ p, n, alphabet }: PHopSettings) {
  const loops = Math.floor(Math.log2(p)) + 2
  const [b, s] = [Math.ceil(Math.log2(alphabet)), Math.ceil(Math.log2(n + 1))]
  let next = 0
  const take = (columns: number) => {
    next += columns
    return next - columns
  }
  return {
    p,
    n,
    alphabet,
    loops,
    b,
    s,
    address: b + s,
    /** 1 on `#`. */
    mark: take(1),
    /** The position as a code, the code of the one before, and as a number. */
    place: take(s),
    before: take(s),
    index: take(1),
    /** The share of `#` among it and the letters like this one so far: 1 / (count + 1). */
    share: take(1),
    /** Addresses: its own, and that of the position before with the columns that attention writes it to. */
    own: take(b + s),
    previous: take(b + s),
    previousIn: take(b + s),
    /** find_m of this position for the digits so far, and what attention fetches. */
    pointer: take(b + 2 * s),
    pointerIn: take(b + 2 * s),
    /** Whom the next loop looks for: an address of its own, one of the position before, or the most recent. */
    seekOwn: take(b + s),
    seekPrevious: take(b + s),
    seekRecent: take(1),
    /** One column a loop, 1 in that loop. */
    time: take(loops),
    width: next,
  }
}

type Layout = ReturnType<typeof layout>

/**
 * One layer that, looped ⌊log2 p⌋ + 2 times, says at every position i the letter hop_p(v, i), or `#` where it is undefined.
 *
 * Loop 1 counts letters and fetches the letter before; loop 2 finds find_1, the most recent position after the same
 * letter, and addresses before; every later loop takes a digit of p. Three heads: the position before, the count, the hop.
 * Widths are O(log n + log p); the feed-forward part has 2n units among its own, which turn a count into its code.
 * More loops change nothing.
 *
 * Throws a LatheError for settings out of range.
 */
export function pHop(settings: PHopSettings): Construction {
  refuse(settings)
  const l = layout(settings)
  const { p, n, alphabet, loops } = l
  const [tokens, positions, head] = ends(l)
  const units = [...counting(l), ...moving(l), ...seeking(l), ...clock(l)]
  const heads = [beforeHead(l), countHead(l), hopHead(l)]
  const model = buildLooped({ loops, width: l.width, heads, units, tokens, positions, head })
  const letters = Array.from({ length: alphabet }, (_, i) => String.fromCharCode(97 + i))
  const { config } = model
  return {
    plan: LoopPlan.parse(config.plan),
    model,
    vocabulary: [...letters, '#'],
    problem: {
      name: 'p-hop',
      letters: alphabet,
      n,
      draw: (random) => drawLetters(random, settings),
      answers: (drawn) => hops(drawn, p).map((letter) => (letter < 0 ? alphabet : letter)),
    },
    task: { name: 'dummy-first', of: { name: 'phop', p, n, alphabet, loss: 'every' } },
    sizes: {
      loops: { published: Math.floor(Math.log2(p)) + 2, built: LoopPlan.parse(config.plan).effectiveDepth },
      nHeads: { published: 'at most 3', built: config.nHeads },
      dModel: { published: 'O(log n)', built: config.dModel },
      dHead: { published: 'O(log n)', built: config.dHead },
      dHeadValue: { published: 'O(log n)', built: config.dHeadValue },
      dFf: { published: 'O(log n)', built: config.dFf },
      vocabulary: { published: alphabet + 1, built: config.vocabulary },
    },
  }
}

function refuse({ p, n, alphabet }: PHopSettings): void {
  const check = (name: string, value: number, least: number, most: number) => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new LatheError(`p-hop: ${name} is ${value}: it is a whole number from ${least} to ${most}`)
  }
  check('p', p, 1, 2 ** 31 - 1)
  check('n', n, 2, maxLength)
  check('alphabet', alphabet, 2, 26)
}

/** Every other sequence surely has p hops, where there is room for them; the others are uniform, and may have fewer. */
function drawLetters(random: RandomStream, { p, n, alphabet }: PHopSettings): Int32Array {
  if (n > 2 * p && random.integer(2) === 0) return generate(random, n, p, alphabet)
  return Int32Array.from({ length: n }, () => random.integer(alphabet))
}

/** Embeddings, and the head: it reads the pointer's letter, and `#` where its count is 0. */
function ends(l: Layout): [tokens: Entries[], positions: Entries[], head: Entries[]] {
  const { n, alphabet, b, s } = l
  const start = {
    [l.time]: 1,
    ...code(0, s, l.own + b),
    ...code(0, s, l.pointer + b),
    ...code(0, s, l.pointer + l.address),
  }
  const ids = Array.from({ length: alphabet }, (_, id) => id)
  const tokens = [...ids.map((id) => ({ ...start, ...code(id, b, l.own) })), { ...start, [l.mark]: 1 }]
  const positions = Array.from({ length: n + 1 }, (_, i) => ({
    ...code(i, s, l.place),
    ...code(Math.max(0, i - 1), s, l.before),
    [l.index]: i,
  }))
  // s · b for the right letter, s for `#`: a count from 1 on has at most s − 2.
  const head = [...ids.map((id) => scaled(code(id, b, l.pointer), s)), code(0, s, l.pointer + b)]
  return [tokens, positions, head]
}

/** Fetches the address of the position before; in loop 1 only its letter is there. */
const beforeHead = (l: Layout): Head => ({
  scores: columnPairs(l.s, l.before, l.place).map(([from, to]) => ({ query: { [from]: sharpness }, key: { [to]: 1 } })),
  copies: columnPairs(l.address, l.own, l.previousIn),
})

/** Looks at `#` and at all letters like its own alike. */
const countHead = (l: Layout): Head => ({
  scores: [
    ...columnPairs(l.b, l.own, l.own).map(([from, to]) => ({ query: { [from]: sharpness }, key: { [to]: 1 } })),
    { query: {}, bias: sharpness * l.b, key: { [l.mark]: 1 } },
  ],
  copies: [[l.mark, l.share]],
})

/** What a bit of a count weighs against one of a letter, so that `#`, which has no letter, wins where the count is 0. */
const countWeight = ({ b }: Layout): number => 2 ** Math.ceil(Math.log2(Math.max(2, b / 2)))

/** What a bit of a letter weighs against nearness, 2 a position, in loop 2. */
const letterWeight = ({ n }: Layout): number => 2 ** Math.ceil(Math.log2(4 * (n + 1)))

/**
 * Fetches the pointer of the position that is looked for. `#` has 2 more than position 1, whose address before is that of
 * `#`; in loop 2, where the letter before must be its own, `#` is half a letter's weight behind those that are.
 */
function hopHead(l: Layout): Head {
  const { b, s } = l
  const match = (count: number, seek: number, key: number, weight: number) =>
    columnPairs(count, seek, key).map(([from, to]) => ({ query: { [from]: sharpness * weight }, key: { [to]: 1 } }))
  const weight = countWeight(l)
  return {
    scores: [
      ...match(b, l.seekOwn, l.own, 1),
      ...match(s, l.seekOwn + b, l.own + b, weight),
      ...match(b, l.seekPrevious, l.previous, 1),
      ...match(s, l.seekPrevious + b, l.previous + b, weight),
      { query: { [l.seekRecent]: 2 * sharpness }, key: { [l.index]: 1 } },
      { query: { [l.seekRecent]: sharpness * letterWeight(l) * (b - 0.5) }, bias: 2 * sharpness, key: { [l.mark]: 1 } },
    ],
    copies: columnPairs(b + 2 * s, l.pointer, l.pointerIn),
  }
}

/** Reads that close a unit in all loops but these, counted from 1. */
const only = ({ loops, time }: Layout, isOpen: (loop: number) => boolean): Entries =>
  Object.fromEntries(Array.from({ length: loops }, (_, t) => [time + t, isOpen(t + 1) ? 0 : closed]))

/**
 * In loop 1 the code of the count, and that of the count less one, from the share u: for every k the two units of a step
 * from 0 to 1 between u = 1 / k and 1 / (k + 1) add what differs in the codes of k − 1 and k.
 */
function counting(l: Layout): Unit[] {
  const { n, b, s } = l
  const first = only(l, (loop) => loop === 1)
  const step = (k: number): Unit[] => {
    const change = (x: number, column: number) => difference(code(x, s, column), code(Math.max(0, x - 1), s, column))
    const less = Math.max(0, k - 1)
    const writes = { ...change(k, l.own + b), ...change(k, l.pointer + b), ...change(less, l.pointer + l.address) }
    const reads = { ...first, [l.share]: -2 * k * (k + 1) }
    return [
      { reads, bias: 2 * k + 1.5, writes },
      { reads, bias: 2 * k + 0.5, writes: scaled(writes, -1) },
    ]
  }
  return [
    ...Array.from({ length: n }, (_, i) => step(i + 1)).flat(),
    ...columnPairs(b, l.own, l.pointer).flatMap(([from, to]) => pass(from, { [to]: 1 }, first)),
    { reads: { [l.share]: 1 }, writes: { [l.share]: -1 } },
  ]
}

const difference = (a: Entries, b: Entries): Entries =>
  Object.fromEntries(Object.entries(a).map(([column, value]) => [column, value - b[Number(column)]]))

/** What attention fetched takes the place of what was there. */
const moving = (l: Layout): Unit[] =>
  [...columnPairs(l.address, l.previousIn, l.previous), ...columnPairs(l.b + 2 * l.s, l.pointerIn, l.pointer)].flatMap(
    ([from, to]) => [...pass(from, { [from]: -1, [to]: 1 }), ...pass(to, { [to]: -1 })],
  )

/** Whom the next loop looks for. */
function seeking(l: Layout): Unit[] {
  const { p, loops, b, s } = l
  /** The digit of p that loop `loop` takes; loop 2 takes the first, which is 1. */
  const digit = (loop: number) => Math.floor(p / 2 ** (loops - loop)) % 2
  const first = only(l, (loop) => loop === 1)
  const even = only(l, (loop) => loop > 1 && loop < loops && digit(loop + 1) === 0)
  const odd = only(l, (loop) => loop > 1 && loop < loops && digit(loop + 1) === 1)
  const last = only(l, (loop) => loop === loops)
  const copy = (pairs: readonly (readonly [number, number])[], gate: Entries, factor = 1) =>
    pairs.flatMap(([from, to]) => pass(from, { [to]: factor }, gate))
  const sought = columnPairs(2 * l.address, l.seekOwn, l.seekOwn)
  return [
    ...sought.flatMap(([column]) => pass(column, { [column]: -1 })),
    { reads: { [l.seekRecent]: 1 }, writes: { [l.seekRecent]: -1 } },
    ...copy(columnPairs(b, l.own, l.seekPrevious), first, letterWeight(l)),
    ...copy(columnPairs(l.address, l.pointerIn, l.seekOwn), even),
    ...copy(columnPairs(b, l.pointerIn, l.seekPrevious), odd),
    ...copy(columnPairs(s, l.pointerIn + l.address, l.seekPrevious + b), odd),
    // itself, so that further loops keep what was found
    ...copy(columnPairs(l.address, l.own, l.seekOwn), last),
  ]
}

/** Time goes on, and stands still in the last loop; after loop 1 the most recent is sought. */
const clock = ({ loops, time, seekRecent }: Layout): Unit[] =>
  Array.from({ length: loops - 1 }, (_, t) => ({
    reads: { [time + t]: 1 },
    writes: { [time + t]: -1, [time + t + 1]: 1, ...(t === 0 ? { [seekRecent]: 1 } : {}) },
  }))

/** The position, from 0, at which each pointer stands, after what the columns `[T, d]` of a state say. */
export function pointersOf(settings: PHopSettings, letters: Int32Array, state: Float32Array): number[] {
  const l = layout(settings)
  const seen = new Map<number, number[]>()
  for (const [i, letter] of letters.entries()) seen.set(letter, [...(seen.get(letter) ?? []), i + 1])
  const bits = (row: Float32Array, column: number, count: number) =>
    row.subarray(column, column + count).reduce((x, bit, j) => x + (bit > 0 ? 2 ** j : 0), 0)
  return Array.from({ length: state.length / l.width }, (_, i) => {
    const row = state.subarray(i * l.width, (i + 1) * l.width)
    const count = bits(row, l.pointer + l.b, l.s)
    return count === 0 ? 0 : (seen.get(bits(row, l.pointer, l.b))?.[count - 1] ?? 0)
  })
}
