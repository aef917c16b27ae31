import { describe, expect, it } from 'vitest'
import { accumulate, input, output, parameter, state, trace } from '../graph/graph.ts'
import { add, append, matmul, mul, repeat, sum, takeRow, unary } from '../ops/index.ts'
import { compileForward, type Program } from './index.ts'

const lowered = (fn: () => void): Program => compileForward(trace('t', fn)).main
const opsOf = (instructions: Program['instructions']) => instructions.map((i) => i.op)

describe('prune', () => {
  it('drops what nothing needs, with its sources', () => {
    const program = lowered(() => {
      const x = input('x', [2])
      unary('exp', mul(parameter('w', [2]), x))
      input('y', [2])
      output('z', unary('neg', x))
    })
    expect(opsOf(program.instructions)).toEqual(['neg'])
    expect(program.inputs.map((i) => i.name)).toEqual(['x'])
    expect(program.parameters).toEqual([])
    expect(program.values).toHaveLength(2)
  })

  it('keeps what is summed or appended', () => {
    const program = lowered(() => {
      const [x, at] = [input('x', [1, 2]), input('at', [], 'i32')]
      append(state('s', [1, 3, 2]), at, unary('exp', x), at)
      accumulate('total', unary('neg', x))
    })
    expect(opsOf(program.instructions).sort()).toEqual(['accumulate', 'append', 'exp', 'neg'])
    expect(program.states.map((s) => s.name)).toEqual(['s'])
  })

  it('drops a loop that nothing needs, and keeps one that sums inside', () => {
    const program = lowered(() => {
      const x = input('x', [2])
      repeat({ count: 2, carry: { x } }, ({ x }) => ({ carry: { x: unary('exp', x) } }))
      repeat({ count: 3, carry: { x } }, ({ x }) => {
        accumulate('total', x)
        unary('neg', x)
        return { carry: { x: unary('tanh', x) } }
      })
    })
    expect(opsOf(program.instructions)).toEqual(['repeat'])
    expect(program.instructions[0].attributes.count).toBe(3)
    expect(opsOf(program.instructions[0].block!.instructions)).toEqual(['accumulate', 'tanh'])
  })

  it('drops stacks that nobody reads, and slices that the body does not', () => {
    const program = lowered(() => {
      const scan = { a: input('a', [2, 3]), b: input('b', [2, 3]), c: input('c', [2, 3]) }
      const { collected } = repeat({ count: 2, carry: { x: input('x', [3]) }, scan }, ({ x }, { slices: { a, c } }) => {
        const next = add(x, c)
        return { carry: { x: next }, collect: { lost: mul(a, 2), kept: next, same: unary('exp', x) } }
      })
      output('kept', collected.kept)
    })
    expect(program.inputs.map((i) => i.name)).toEqual(['x', 'c'])
    const [loop] = program.instructions
    expect(loop.inputs).toHaveLength(2)
    expect(loop.outputs).toHaveLength(2)
    expect(loop.block!.scanned).toHaveLength(1)
    expect(loop.block!.collected).toEqual(loop.block!.next)
    expect(opsOf(loop.block!.instructions)).toEqual(['add'])
  })

  it('drops carries that nobody reads, with the work on them and what they began with', () => {
    const program = lowered(() => {
      const carry = { x: input('x', [2]), dead: input('dead', [2]), a: input('a', [2]), b: input('b', [2]) }
      const loop = repeat({ count: 3, carry }, ({ x, dead, a, b }) => ({
        // a and b need each other, and nobody else does.
        carry: { x: unary('exp', x), dead: add(dead, x), a: mul(b, 2), b: unary('tanh', a) },
      }))
      output('x', loop.carry.x)
    })
    expect(program.inputs.map((i) => i.name)).toEqual(['x'])
    const [loop] = program.instructions
    expect([loop.inputs, loop.outputs, loop.block!.carry, loop.block!.next].map((list) => list.length)).toEqual([
      1, 1, 1, 1,
    ])
    expect(opsOf(loop.block!.instructions)).toEqual(['exp'])
  })

  it.each(['carry', 'collected', 'sum', 'inner'] as const)('keeps a carry that is needed by a %s alone', (by) => {
    const program = lowered(() => {
      const carry = { x: input('x', [2]), y: input('y', [2]), dead: input('dead', [2]) }
      const loop = repeat({ count: 3, carry }, ({ x, y, dead }) => {
        if (by === 'sum') accumulate('total', y)
        const inner = repeat({ count: 2, carry: { x, dead } }, (c) => ({
          carry: { x: add(c.x, y), dead: mul(c.dead, y) },
        }))
        return {
          carry: {
            x: by === 'carry' ? y : by === 'inner' ? inner.carry.x : unary('exp', x),
            y: unary('tanh', y),
            dead,
          },
          collect: { y: mul(y, 2) },
        }
      })
      output('z', by === 'collected' ? loop.collected.y : loop.carry.x)
    })
    const names = program.inputs.map((i) => i.name)
    expect(names).toEqual(by === 'collected' ? ['y'] : ['x', 'y'])
    const loop = program.instructions.find((i) => i.op === 'repeat')!
    expect(loop.block!.carry).toHaveLength(names.length)
    const inner = loop.block!.instructions.filter((i) => i.op === 'repeat')
    expect(inner.map(({ block }) => block!.carry.length)).toEqual(by === 'inner' ? [1] : [])
  })

  it('keeps a loop that only sums, without a carry', () => {
    const program = lowered(() => {
      repeat({ count: 3, carry: { x: input('x', [2]) } }, ({ x }, { index }) => {
        accumulate('total', takeRow(parameter('w', [3, 2]), index))
        return { carry: { x: unary('exp', x) } }
      })
    })
    const [loop] = program.instructions
    expect([loop.inputs, loop.outputs]).toEqual([[], []])
    expect(opsOf(loop.block!.instructions)).toEqual(['takeRow', 'accumulate'])
  })

  it('keeps the number of runs when slices go', () => {
    const program = lowered(() => {
      const runs = input('runs', [], 'i32')
      const { carry } = repeat(
        { count: 2, carry: { x: input('x', [3]) }, scan: { a: input('a', [2, 3]) }, runs },
        ({ x }) => ({
          carry: { x: unary('exp', x) },
        }),
      )
      output('x', carry.x)
    })
    const [loop] = program.instructions
    expect(loop.inputs.map((v) => program.inputs.find((i) => i.value === v)?.name)).toEqual(['x', 'runs'])
  })

  it('keeps what a nested loop needs from further out', () => {
    const program = lowered(() => {
      const w = unary('exp', input('w', [2, 2]))
      const { carry } = repeat({ count: 2, carry: { x: input('x', [2, 2]) } }, ({ x: outer }) => {
        const y = unary('tanh', outer)
        return repeat({ count: 2, carry: { x: outer } }, ({ x }) => ({ carry: { x: add(matmul(x, w), y) } }))
      })
      output('x', sum(carry.x))
    })
    expect(opsOf(program.instructions)).toEqual(['exp', 'repeat', 'sumTo'])
    expect(opsOf(program.instructions[1].block!.instructions)).toEqual(['tanh', 'repeat'])
  })

  it('numbers values in order of appearance', () => {
    const program = lowered(() => {
      unary('exp', input('dropped', [2]))
      const [x, w] = [input('x', [2]), parameter('w', [2])]
      output('y', mul(add(x, w), x))
    })
    expect(program.parameters[0].value).toBe(0)
    expect(program.inputs[0].value).toBe(1)
    expect(program.instructions.map((i) => [i.inputs, i.outputs])).toEqual([
      [[1, 0], [2]],
      [[2, 1], [3]],
    ])
    expect(program.outputs[0].value).toBe(3)
  })
})
