import { describe, expect, it } from 'vitest'
import { compileForward } from '../compile/index.ts'
import { refusal, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, output, type Tensor, trace } from '../graph/graph.ts'
import { RandomStream } from '../tensor/random.ts'
import { attention, type RopeOptions, repeat, rope } from './index.ts'

const random = new RandomStream(0, 'rope')
const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal())

const i32 = (name: string, shape: number[]) => input(name, shape, 'i32')

async function evaluate(build: () => void, given: Readonly<Record<string, Float32Array | Int32Array>>) {
  const { main } = compileForward(trace('t', build))
  const inputs = Object.fromEntries(main.inputs.map(({ name }) => [name, given[name]]))
  return { main, y: (await runProgram(referenceExecutor(), main, { count: 1, inputs })).outputs.y }
}

describe('rope', () => {
  it('turns each pair of each head by its position', async () => {
    const x = Float32Array.of(1, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0)
    const { y } = await evaluate(
      () => output('y', rope(input('x', [2, 8]), { nHeads: 2, base: 100, start: i32('at', []) })),
      { x, at: Int32Array.of(4) },
    )
    const [c, s] = [Math.cos, Math.sin]
    const first = [c(4), -s(0.4), s(4), c(0.4), 2 * c(4), 0, 2 * s(4), 0]
    const second = [c(5), 0, s(5), 0, 0, 3 * c(0.5), 0, 3 * s(0.5)]
    for (const [i, wanted] of [...first, ...second].entries()) expect(y[i]).toBeCloseTo(wanted, 6)
  })

  it('takes positions from a start on, else rows', async () => {
    const given = { x: normal(12), at: Int32Array.of(2), p: Int32Array.of(9, 8, 3, 4, 5), four: Int32Array.of(3) }
    const turned = async (options: () => Partial<RopeOptions>) => [
      ...(await evaluate(() => output('y', rope(input('x', [3, 4]), { nHeads: 1, base: 7, ...options() })), given)).y,
    ]
    const from3 = await turned(() => ({ start: i32('four', []) }))
    expect(await turned(() => ({ start: i32('at', []), positions: i32('p', [5]) }))).toEqual(from3)
    expect(from3).not.toEqual(await turned(() => ({})))
  })

  it('is what an attention with a base does first, with one table for all that stand alike', async () => {
    const given = { q: normal(30), k: normal(30), v: normal(30) }
    const [q, k, v] = ['q', 'k', 'v'].map((name) => () => input(name, [5, 6]))
    const inside = await evaluate(() => output('y', attention(q(), k(), v(), { nHeads: 2, ropeBase: 10 })), given)
    const before = await evaluate(() => {
      const [turnedQ, turnedK] = [q(), k()].map((x) => rope(x, { nHeads: 2, base: 10 }))
      output('y', attention(turnedQ, turnedK, v(), { nHeads: 2 }))
    }, given)
    const without = await evaluate(() => output('y', attention(q(), k(), v(), { nHeads: 2 })), given)
    expect([...before.y]).toEqual([...inside.y])
    expect([...inside.y]).not.toEqual([...without.y])
    expect(inside.main.instructions.map(({ op }) => op)).toEqual(['ropeTable', 'rope', 'rope', 'attention'])
  })

  it('makes its table outside of loops, but for positions that change in them', () => {
    const opsOf = (options: (index: Tensor) => Partial<RopeOptions>) => {
      const build = () => {
        const { carry } = repeat({ count: 2, carry: { x: input('x', [3, 4]) } }, ({ x }, { index }) => ({
          carry: { x: rope(x, { nHeads: 1, base: 10, ...options(index) }) },
        }))
        output('x', carry.x)
      }
      return compileForward(trace('t', build)).main.instructions.map(({ op }) => op)
    }
    expect(opsOf(() => ({}))).toEqual(['ropeTable', 'repeat'])
    expect(opsOf(() => ({ positions: i32('p', [3]), start: i32('at', []) }))).toEqual(['ropeTable', 'repeat'])
    expect(opsOf((start) => ({ start }))).toEqual(['repeat'])
  })

  it('refuses what has no such heads, a start that is no i32 scalar, too few positions, a base of 0', () => {
    const refused = (shape: number[], options: () => Partial<RopeOptions> = () => ({})) =>
      refusal(() => rope(input('x', shape), { nHeads: 3, base: 10, ...options() }))
    const takes = '; it takes f32 x [T, H·K] with H = 3, and turns [T, 2⌊K/2⌋]'
    expect(refused([4, 8])).toBe(`rope got f32[4, 8] and f32[4, 2]${takes}`)
    expect(refused([9])).toContain('rope got f32[9]')
    const i32s = '; it takes i32 start [], positions [S], S ≥ 4'
    expect(refused([4, 9], () => ({ start: i32('at', [4]) }))).toBe(`rope got i32[4]${i32s}`)
    expect(refused([4, 9], () => ({ start: input('at', []) }))).toBe(`rope got f32[]${i32s}`)
    expect(refused([4, 9], () => ({ positions: i32('p', [3]) }))).toBe(`rope got i32[3]${i32s}`)
    expect(refused([4, 9], () => ({ base: 0 }))).toBe('rope got nothing; it takes a base above 0, not 0')
  })
})
