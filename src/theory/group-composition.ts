import type { ModelConfig } from '../model/config.ts'
import { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { compose, type Group } from '../task/group/definition.ts'
import type { Construction } from './construction.ts'
import { buildLooped, code, columnPairs, type Head, pass, type Unit } from './hand-built.ts'
import type { Entries } from './weight-blocks.ts'

/** Scores of two codes differ by twice this for a bit: softmax then is 1 and 0 in f32. */
const sharpness = 64

const maxLength = 64

/**
 * One layer that, looped ⌈log2 n⌉ times, composes n elements of a group: after `#`, which stands for the identity, and
 * g_1 … g_n it says g_1∘…∘g_n at the last position (Saunshi et al. 2025, arXiv 2502.17416, Theorem 5.1, Algorithm 2).
 *
 * Every loop sets g_i to g_a∘g_b with a = [2i − n − 1]₊ and b = [2i − n]₊. Two heads fetch g_a and g_b; of the |G|² units
 * one fires and writes the code of g_a∘g_b; 6⌈log2|G|⌉ more erase the three codes that were there. The state is the codes
 * of g_i, g_a, g_b, then those of i, a and b. All sizes are the theorem's. More loops change nothing.
 *
 * Throws a LatheError unless n is from 2 to 64.
 */
export function groupComposition(group: Group, n: number): Construction {
  if (!Number.isInteger(n) || n < 2 || n > maxLength)
    throw new LatheError(`group composition of n = ${n} elements: n is a whole number from 2 to ${maxLength}`)
  const { name, setting, elements, identity } = group
  const l = layout(group, n)
  const tokens = [...elements.keys(), identity].map((id) => code(id, l.L, l.self))
  const positions = Array.from({ length: n + 1 }, (_, i) => ({
    ...code(i, l.s, l.place),
    ...code(Math.max(0, 2 * i - n - 1), l.s, l.leftPlace),
    ...code(Math.max(0, 2 * i - n), l.s, l.rightPlace),
  }))
  const model = buildLooped({
    loops: l.loops,
    width: l.width,
    heads: [fetch(l, l.leftPlace, l.left), fetch(l, l.rightPlace, l.right)],
    units: [...products(l, group), ...columnPairs(3 * l.L, 0, 0).flatMap(([column]) => pass(column, { [column]: -1 }))],
    tokens,
    positions,
    head: [...tokens.slice(0, -1), {}],
  })
  return {
    plan: LoopPlan.parse(model.config.plan),
    model,
    vocabulary: [...elements, '#'],
    problem: {
      name: `group ${name}`,
      letters: elements.length,
      n,
      draw: (random) => Int32Array.from({ length: n }, () => random.integer(elements.length)),
      answers: (letters) => new Int32Array(n).fill(-1).fill(compose(group, letters), n - 1),
    },
    task: { name: 'dummy-first', of: { name: 'group', group: setting, n } },
    sizes: sizesOf(model.config, l),
  }
}

/** Where everything stands in the state: codes of L bits for elements, of s for positions. */
function layout({ elements }: Group, n: number) {
  const order = elements.length
  const [L, s] = [Math.ceil(Math.log2(order)), Math.ceil(Math.log2(n + 1))]
  return {
    order,
    loops: Math.ceil(Math.log2(n)),
    L,
    s,
    self: 0,
    left: L,
    right: 2 * L,
    place: 3 * L,
    leftPlace: 3 * L + s,
    rightPlace: 3 * L + 2 * s,
    width: 3 * (L + s),
  }
}

type Layout = ReturnType<typeof layout>

/**
 * A head that copies g from the position whose code stands at `pointer`. Where n is a power of two, position n has the
 * low bits of position 0 and one bit more; that bit, taken from every dimension of its key, keeps the two apart.
 */
function fetch({ loops, L, s, self, place }: Layout, pointer: number, to: number): Head {
  const last: Entries = s > loops ? { [place + loops]: -1 } : {}
  const scores = columnPairs(loops, pointer, place).map(([from, at]) => ({
    query: { [from]: sharpness },
    key: { ...last, [at]: 1 },
  }))
  return { scores, copies: columnPairs(L, self, to) }
}

/** For every pair of elements a unit that fires on their codes, and writes that of their product. */
const products = ({ L, self, left, right }: Layout, { table }: Group): Unit[] =>
  table.flatMap((row, g) =>
    row.map((product, h) => ({
      reads: { ...code(g, L, left), ...code(h, L, right) },
      bias: 1 - 2 * L,
      writes: code(product, L, self),
    })),
  )

function sizesOf(built: ModelConfig, { order, loops, L, s }: Layout): Construction['sizes'] {
  return {
    loops: { published: loops, built: LoopPlan.parse(built.plan).effectiveDepth },
    dModel: { published: 3 * (L + s), built: built.dModel },
    dFf: { published: order ** 2 + 6 * L, built: built.dFf },
    dHead: { published: loops, built: built.dHead },
    dHeadValue: { published: 'not stated', built: built.dHeadValue },
    nHeads: { published: 2, built: built.nHeads },
    vocabulary: { published: order + 1, built: built.vocabulary },
  }
}
