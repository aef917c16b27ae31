/**
 * Cases of attention: T queries, S keys, H heads, K key width, V value width; and of caches that it reads.
 */
import { input, output, parameter, state, type Tensor } from '../../graph/graph.ts'
import { type AttentionOptions, add, append, attention, matmul, repeat, reshape, rope } from '../../ops/index.ts'
import { type Case, forwardCase, mixedCases, trainingCases } from './case.ts'
import { below, f32, i32, type Sample, scaled } from './data.ts'

interface Size {
  readonly T: number
  readonly S?: number
  readonly H: number
  readonly K: number
  readonly V?: number
}

/** Attention with whatever of start, positions and segments is among the samples. */
function sized(
  name: string,
  { T, S = T, H, K, V = K }: Size,
  options: Partial<AttentionOptions> = {},
  extra: Readonly<Record<string, Sample>> = {},
  count?: number,
): Case[] {
  const samples = { q: f32([T, H * K]), k: f32([S, H * K]), v: f32([S, H * V]), ...extra }
  const size = `T ${T}${S === T ? '' : `, S ${S}`}, ${H} × ${K}${V === K ? '' : ` and ${V}`}`
  const attend = ({ q, k, v, ...given }: Record<string, Tensor>) =>
    attention(q, k, v, { nHeads: H, ...options, ...given })
  return trainingCases(`attention, ${name}: ${size}`, samples, attend, count)
}

const lengths = [1, 3, 17, 33]
const headWidths = [1, 2, 3, 8, 16, 32, 64, 128]
const positioned = { ropeBase: 100 }

const self: Case[] = headWidths.flatMap((K, i) => {
  const [T, other] = [lengths[(i + 1) % 4], lengths[(i + 3) % 4]]
  const H = K > 32 ? 1 : 2
  return [
    ...sized('causal', { T, H, K }),
    ...sized('causal, rope', { T: other, H, K }, positioned),
    ...sized('bidirectional', { T: other, H, K }, { causal: false }),
    ...sized('bidirectional, rope', { T, H, K }, { ...positioned, causal: false }),
  ]
})

const shapes: Case[] = [
  ...lengths.flatMap((T) => sized('causal, rope', { T, H: 3, K: 32 }, positioned)),
  ...sized('a long sequence', { T: 130, H: 1, K: 32 }, positioned),
  ...sized('more weights than are kept', { T: 150, H: 96, K: 1 }, {}, {}, 1).slice(0, 1),
  ...sized('a scale', { T: 17, H: 2, K: 8 }, { scale: 0.9 }),
  ...sized('memory', { T: 17, S: 5, H: 2, K: 16 }, { causal: false }),
  ...sized('memory of one row', { T: 3, S: 1, H: 2, K: 3 }, { causal: false }),
  ...sized('one query', { T: 1, S: 33, H: 2, K: 8 }, { ...positioned, causal: false }),
  ...sized('wide values', { T: 17, H: 2, K: 3, V: 40 }, positioned),
  ...sized('narrow values', { T: 17, H: 3, K: 32, V: 1 }, positioned),
  ...sized('narrow keys', { T: 33, H: 2, K: 1, V: 32 }, { causal: false }),
]

const positions = (S: number) => ({ positions: i32([S], below(50)) })
const segments = (S: number) => ({ segments: i32([S], below(3)) })
const start = (rows: number) => ({ start: i32([], below(rows)) })

const masks: Case[] = [
  [17, 8],
  [33, 32],
  [3, 3],
].flatMap(([T, K]) => {
  const size = { T, H: 2, K }
  const cached = { T, S: 2 * T + 3, H: 2, K }
  return [
    ...sized('positions', size, positioned, positions(T)),
    ...sized('segments', size, {}, segments(T)),
    ...sized('segments, bidirectional', size, { ...positioned, causal: false }, segments(T)),
    ...sized('positions and segments', size, positioned, { ...positions(T), ...segments(T) }),
    ...sized('a start', cached, positioned, start(T + 4)),
    ...sized('a start, bidirectional', cached, { causal: false }, start(T + 4)),
    ...sized('a start, positions and segments', cached, positioned, {
      ...start(T + 4),
      ...positions(2 * T + 3),
      ...segments(2 * T + 3),
    }),
    ...sized('decoding', { ...cached, T: 1 }, positioned, start(2 * T + 3)),
  ]
})

/** Rows that go on from what a cache holds, in every loop with a slot of its own. */
function cachedLoop(name: string, T: number, loops: number): Case {
  const [d, capacity] = [12, 40]
  const samples = { start: i32([], below(capacity - T + 1)), w: f32([d, d], scaled(0.3)) }
  return forwardCase(name, samples, () => {
    const at = input('start', [], 'i32')
    const w = parameter('w', [d, d])
    const { carry, collected } = repeat({ count: loops, carry: { x: input('x', [T, d]) } }, ({ x }, { index }) => {
      const keys = append(state('keys', [loops, capacity, d]), index, matmul(x, w), at)
      const values = append(state('values', [loops, capacity, d]), index, x, at)
      const read = attention(x, keys, values, { nHeads: 3, ropeBase: 100, start: at })
      return { carry: { x: add(x, read) }, collect: { read } }
    })
    output('x', carry.x)
    output('reads', reshape(collected.read, [loops * T, d]))
  })
}

const caches: Case[] = [
  cachedLoop('a cache: one row, one loop', 1, 1),
  cachedLoop('a cache: one row, a slot for each loop', 1, 3),
  cachedLoop('a cache: several rows', 17, 2),
  forwardCase('a state that is appended to alone', { slot: i32([], below(2)), at: i32([], below(3)) }, () => {
    append(state('s', [2, 4, 5]), input('slot', [], 'i32'), input('rows', [2, 5]), input('at', [], 'i32'))
  }),
]

const ropes = [
  [1, 1, 2],
  [3, 2, 5],
  [17, 3, 8],
  [5, 1, 70],
].flatMap(([T, H, K], i) => {
  const at: Record<string, Sample>[] = [{}, start(9), positions(T), { ...start(4), ...positions(T + 3) }]
  const samples = { x: f32([T, H * K]), ...at[i] }
  return trainingCases(`rope of [${T}, ${H} × ${K}] at ${Object.keys(at[i])}`, samples, ({ x, ...options }) =>
    rope(x, { nHeads: H, base: 1000, ...options }),
  )
})

const mixtures = mixedCases('attention', { q: f32([5, 8]), k: f32([6, 8]), v: f32([6, 6]) }, ({ q, k, v }) =>
  attention(q, k, v, { nHeads: 2, causal: false, ...positioned }),
)

export const attentionCases: readonly Case[] = [...self, ...shapes, ...masks, ...caches, ...ropes, ...mixtures]
