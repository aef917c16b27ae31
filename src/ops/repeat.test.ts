import { describe, expect, it } from 'vitest'
import { compileForward, programFlops } from '../compile/index.ts'
import { f32, i32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input, output, parameter, type Tensor, trace } from '../graph/graph.ts'
import { add, matmul, mul, repeat, slice, takeRow } from './index.ts'

describe('repeat', () => {
  it('carries tensors from one iteration into the next', async () => {
    // Fibonacci: (a, b) → (b, a + b).
    const { a, b } = await evaluate(
      { a: f32([], [0]), b: f32([], [1]) },
      ({ a, b }) => repeat({ count: 10, carry: { a, b } }, ({ a, b }) => ({ carry: { a: b, b: add(a, b) } })).carry,
    )
    expect([...a, ...b]).toEqual([55, 89])
  })

  it('gives each iteration its slice and its index, and stacks what it collects', async () => {
    const samples = { x: f32([2], [0, 0]), stack: f32([3, 2], [1, 2, 3, 4, 5, 6]), table: f32([3], [100, 200, 300]) }
    const y = await evaluate(samples, ({ x, stack, table }) => {
      const { carry, collected } = repeat(
        { count: 3, carry: { x }, scan: { row: stack } },
        ({ x }, { index, slices }) => {
          const next = add(x, add(slices.row, takeRow(table, index)))
          return { carry: { x: next }, collect: { before: x, next } }
        },
      )
      expect(collected.next.shape).toEqual([3, 2])
      return { x: carry.x, ...collected }
    })
    expect([...y.next]).toEqual([101, 102, 304, 306, 609, 612])
    expect([...y.before]).toEqual([0, 0, 101, 102, 304, 306])
    expect([...y.x]).toEqual([609, 612])
  })

  it.each([
    [0, 1, [0, 0, 0]],
    [2, 4, [2, 4, 0]],
    [3, 8, [2, 4, 8]],
    [7, 8, [2, 4, 8]],
  ])('runs %i times and leaves later slices 0', async (runs, last, stack) => {
    const y = await evaluate({ x: f32([], [1]), runs: i32([], [runs]) }, ({ x, runs }) => {
      const { carry, collected } = repeat({ count: 3, carry: { x }, runs }, ({ x }) => {
        const twice = mul(x, 2)
        return { carry: { x: twice }, collect: { twice } }
      })
      return { x: carry.x, twice: collected.twice }
    })
    expect([...y.x]).toEqual([last])
    expect([...y.twice]).toEqual(stack)
  })

  it('nests, and sees tensors of every level', async () => {
    const { y } = await evaluate({ x: f32([], [1]), table: f32([2], [10, 100]) }, ({ x, table }) => ({
      y: repeat({ count: 2, carry: { x } }, ({ x: outer }, { index }) => ({
        carry: {
          x: repeat({ count: 3, carry: { x: outer } }, ({ x: inner }) => ({
            carry: { x: add(add(inner, outer), takeRow(table, index)) },
          })).carry.x,
        },
      })).carry.x,
    }))
    // outer 1: 1 → 12 → 23 → 34; outer 2: 34 → 168 → 302 → 436.
    expect([...y]).toEqual([436])
  })

  it('counts the FLOPs of its body as often as it runs', () => {
    const graph = trace('t', () => {
      const w = parameter('w', [4, 4])
      const { carry } = repeat({ count: 5, carry: { x: input('x', [3, 4]) } }, ({ x }) => ({
        carry: { x: repeat({ count: 2, carry: { x } }, ({ x }) => ({ carry: { x: matmul(x, w) } })).carry.x },
      }))
      output('x', carry.x)
    })
    expect(programFlops(compileForward(graph).main)).toBe(5 * 2 * (2 * 3 * 4 * 4))
  })
})

describe('repeat refuses', () => {
  const x = () => input('x', [2, 3])
  const same = ({ x }: { x: Tensor }) => ({ carry: { x } })

  it.each([0, -1, 1.5, Number.NaN])('a count of %d', (count) => {
    expect(refusal(() => repeat({ count, carry: { x: x() } }, same))).toBe(
      `repeat takes a count of 1 or more, not ${count}`,
    )
  })

  it.each([0, -1, 1.5, Number.NaN])('to save every %d', (saveEvery) => {
    expect(refusal(() => repeat({ count: 2, carry: { x: x() }, saveEvery }, same))).toBe(
      `repeat saves every iteration or every few, 1 or more, not every ${saveEvery}`,
    )
  })

  it('a carry that changes its shape or type', () => {
    expect(
      refusal(() => repeat({ count: 2, carry: { x: x() } }, ({ x }) => ({ carry: { x: slice(x, 0, 0, 1) } }))),
    ).toBe('repeat carries x: f32[2, 3], but its body returns f32[1, 3] for it')
    const swapped = () =>
      repeat({ count: 2, carry: { x: input('a', [2]), n: input('n', [2], 'i32') } }, ({ x, n }) => ({
        carry: { x: n, n: x },
      }))
    expect(refusal(swapped)).toBe('repeat carries x: f32[2], but its body returns i32[2] for it')
  })

  it('a carry that its body does not return', () => {
    const forgetful = () => ({ carry: {} as { x: Tensor } })
    expect(refusal(() => repeat({ count: 2, carry: { x: x() } }, forgetful))).toBe(
      'repeat carries x: f32[2, 3], but its body returns nothing for it',
    )
  })

  it('a stack of another length', () => {
    expect(refusal(() => repeat({ count: 4, carry: { x: x() }, scan: { s: input('s', [3, 2]) } }, same))).toBe(
      'repeat scans stacks of 4 slices, not f32[3, 2]',
    )
  })

  it.each([
    ['f32[]', () => input('n', [])],
    ['i32[1]', () => input('n', [1], 'i32')],
  ])('a number of runs of type %s', (type, runs) => {
    expect(refusal(() => repeat({ count: 4, carry: { x: x() }, runs: runs() }, same))).toBe(
      `repeat takes an i32 scalar for runs, not ${type}`,
    )
  })
})
