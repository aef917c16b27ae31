import { describe, expect, it } from 'vitest'
import { compileForward } from '../compile/index.ts'
import { refusal, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, output, state, trace } from '../graph/graph.ts'
import { append } from './index.ts'

const program = compileForward(
  trace('append', () =>
    output(
      'view',
      append(state('slots', [2, 3, 2]), input('slot', [], 'i32'), input('rows', [1, 2]), input('start', [], 'i32')),
    ),
  ),
).main

describe('append', () => {
  it('writes rows into one slot and returns that slot', async () => {
    const slots = Float32Array.from({ length: 12 }, (_, i) => -i)
    const run = (slot: number, start: number, rows: number[]) =>
      runProgram(referenceExecutor(), program, {
        count: 1,
        states: { slots },
        inputs: { slot: Int32Array.of(slot), start: Int32Array.of(start), rows: Float32Array.from(rows) },
      })
    expect([...(await run(1, 2, [5, 6])).outputs.view]).toEqual([-6, -7, -8, -9, 5, 6])
    expect([...(await run(0, 1, [7, 8])).outputs.view]).toEqual([-0, -1, 7, 8, -4, -5])
    expect([...slots]).toEqual([-0, -1, 7, 8, -4, -5, -6, -7, -8, -9, 5, 6])
  })

  it('keeps the states of sequences apart', async () => {
    const slots = new Float32Array(24)
    const inputs = { slot: Int32Array.of(0, 1), start: Int32Array.of(0, 1), rows: Float32Array.of(1, 2, 3, 4) }
    await runProgram(referenceExecutor(), program, { count: 2, states: { slots }, inputs })
    expect([...slots]).toEqual([1, 2, ...Array(18).fill(0), 3, 4, 0, 0])
  })

  const refused = (slots: number[], rows: number[], slot: number[] = [], dtype: 'i32' | 'f32' = 'i32') =>
    refusal(() => append(state('s', slots), input('slot', slot, dtype), input('rows', rows), input('start', [], 'i32')))

  it.each([
    ['rows of another width', [2, 3, 2], [1, 3]],
    ['more rows than fit', [2, 3, 2], [4, 2]],
    ['a state without slots', [3, 2], [1, 2]],
    ['a vector', [2, 3, 2], [2]],
  ])('refuses %s', (_, slots, rows) => {
    expect(refused(slots, rows)).toBe(
      `append got f32[${slots.join(', ')}] and i32[] and f32[${rows.join(', ')}] and i32[]; ` +
        'it takes a state [slots, capacity, d], a slot, rows [T, d] and a start row',
    )
  })

  it('refuses a slot that is no i32 scalar', () => {
    expect(refused([2, 3, 2], [1, 2], [1])).toContain('and i32[1] and')
    expect(refused([2, 3, 2], [1, 2], [], 'f32')).toContain('append got f32[2, 3, 2] and f32[] and')
  })
})
