import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate } from '../executor/conformance/step.ts'
import { input, type Tensor, trace } from '../graph/graph.ts'
import { add, mul, sub, sum, takeRow } from '../ops/index.ts'
import { fixedCount, type LoopPosition, type Tap } from './recurrence.ts'

const x = f32([2], [1, 10])
const tap: Tap = ({ before, after }) => ({ after, change: sub(after, before), size: sum(after) })
const double = (state: Tensor) => mul(state, 2)

describe('fixedCount', () => {
  it.each([1, 2, 5])('runs its block %i times', async (loops) => {
    const { y } = await evaluate({ x }, ({ x }) => ({ y: fixedCount(loops).run(x, double).x }))
    expect([...y]).toEqual([2 ** loops, 10 * 2 ** loops])
  })

  it.each([1, 3])('stacks what it taps after each of %i loops', async (loops) => {
    const y = await evaluate({ x }, ({ x }) => {
      const { taps } = fixedCount(loops).run(x, double, tap)
      expect(taps.after.shape).toEqual([loops, 2])
      expect(taps.size.shape).toEqual([loops])
      return taps
    })
    const powers = [2, 4, 8].slice(0, loops)
    expect([...y.after]).toEqual(powers.flatMap((p) => [p, 10 * p]))
    expect([...y.change]).toEqual(powers.flatMap((p) => [p / 2, 5 * p]))
    expect([...y.size]).toEqual(powers.map((p) => 11 * p))
  })

  it('taps nothing unless it is told to', () => {
    trace('t', () => {
      for (const loops of [1, 3]) expect(fixedCount(loops).run(input('x', [2]), double).taps).toEqual({})
    })
  })

  it('is one loop node, and a plain block where it runs once', () => {
    const opsOf = (loops: number) =>
      trace('t', () => fixedCount(loops).run(input('x', [2]), double)).scope.nodes.map((n) => n.op)
    expect(opsOf(1)).toEqual(['input', 'fill', 'mul'])
    expect(opsOf(7)).toEqual(['input', 'fill', 'repeat'])
  })

  it.each([1, 2, 4, 5])('does and taps the same when it saves every %i', async (saveEvery) => {
    const made = (options: { saveEvery?: number }) =>
      evaluate({ x, table: f32([5], [1, 2, 3, 4, 5]) }, ({ x, table }) => {
        const block = (state: Tensor, at: LoopPosition) => mul(state, takeRow(table, at.index!))
        const { x: after, taps } = fixedCount(5, options).run(x, block, tap)
        return { x: after, ...taps }
      })
    expect(await made({ saveEvery })).toEqual(await made({}))
  })

  it('tells its block where it stands', async () => {
    const places: LoopPosition[] = []
    const { y } = await evaluate({ x, table: f32([3], [100, 200, 300]) }, ({ x, table }) => ({
      y: fixedCount(3).run(x, (state, at) => {
        places.push(at)
        return add(state, takeRow(table, at.index!))
      }).x,
    }))
    expect([...y]).toEqual([601, 610])
    expect(places[0].index).toMatchObject({ shape: [], dtype: 'i32' })
    trace('t', () =>
      fixedCount(1).run(input('x', [2]), (state, at) => {
        expect(at.index).toBeUndefined()
        return state
      }),
    )
  })
})
