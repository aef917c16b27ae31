import { describe, expect, it } from 'vitest'
import { compileForward } from '../compile/index.ts'
import { refusal, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, output, trace } from '../graph/graph.ts'
import { RandomStream } from '../tensor/random.ts'
import { attention, rope } from './index.ts'

const random = new RandomStream(0, 'rope')
const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal())

describe('rope', () => {
  it('turns each pair of each head by its position', async () => {
    const { main } = compileForward(
      trace('rope', () => output('y', rope(input('x', [2, 8]), input('at', [], 'i32'), { nHeads: 2, base: 100 }))),
    )
    const x = Float32Array.of(1, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0)
    const { outputs } = await runProgram(referenceExecutor(), main, { count: 1, inputs: { x, at: Int32Array.of(4) } })
    const [c, s] = [Math.cos, Math.sin]
    const first = [c(4), -s(0.4), s(4), c(0.4), 2 * c(4), 0, 2 * s(4), 0]
    const second = [c(5), 0, s(5), 0, 0, 3 * c(0.5), 0, 3 * s(0.5)]
    for (const [i, wanted] of [...first, ...second].entries()) expect(outputs.y[i]).toBeCloseTo(wanted, 6)
  })

  it('before an attention without positions is attention with them', async () => {
    const run = async (build: () => void) => {
      const { main } = compileForward(trace('t', build))
      const inputs = Object.fromEntries(main.inputs.map(({ name }) => [name, given[name]]))
      return (await runProgram(referenceExecutor(), main, { count: 1, inputs })).outputs.y
    }
    const given: Record<string, Float32Array | Int32Array> = {
      q: normal(30),
      k: normal(30),
      v: normal(30),
      at: Int32Array.of(0),
    }
    const [q, k, v] = ['q', 'k', 'v'].map((name) => () => input(name, [5, 6]))
    const inside = await run(() => output('y', attention(q(), k(), v(), { nHeads: 2, ropeBase: 10 })))
    const before = await run(() => {
      const at = input('at', [], 'i32')
      const [turnedQ, turnedK] = [q(), k()].map((x) => rope(x, at, { nHeads: 2, base: 10 }))
      output('y', attention(turnedQ, turnedK, v(), { nHeads: 2 }))
    })
    expect([...before]).toEqual([...inside])
    expect([...inside]).not.toEqual([...(await run(() => output('y', attention(q(), k(), v(), { nHeads: 2 }))))])
  })

  it('refuses what has no such heads, and a start that is no i32 scalar', () => {
    const refused = (shape: number[], at: number[], dtype: 'i32' | 'f32' = 'i32') =>
      refusal(() => rope(input('x', shape), input('at', at, dtype), { nHeads: 3, base: 10 }))
    const takes = '; it takes f32 x [T, H·K] with H = 3, and an i32 scalar'
    expect(refused([4, 8], [])).toBe(`rope got f32[4, 8] and i32[]${takes}`)
    expect(refused([9], [])).toBe(`rope got f32[9] and i32[]${takes}`)
    expect(refused([4, 9], [4])).toBe(`rope got f32[4, 9] and i32[4]${takes}`)
    expect(refused([4, 9], [], 'f32')).toBe(`rope got f32[4, 9] and f32[]${takes}`)
  })
})
