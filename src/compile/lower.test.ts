import { describe, expect, it } from 'vitest'
import { refusal } from '../executor/conformance/step.ts'
import { accumulate, input, output, parameter, state, type Tensor, trace } from '../graph/graph.ts'
import { add, append, div, fill, matmul, mul, norm, repeat, reshape, stopGradient, sub, unary } from '../ops/index.ts'
import { compileForward, type Program } from './index.ts'

const lowered = (fn: () => void): Program => compileForward(trace('t', fn)).main
const opsOf = ({ instructions }: Program) => instructions.map((i) => i.op)

describe('common values', () => {
  it('are computed once', () => {
    const program = lowered(() => {
      const x = input('x', [2])
      output('y', mul(unary('exp', x), unary('exp', x)))
    })
    expect(opsOf(program)).toEqual(['exp', 'mul'])
  })

  it('are told apart by inputs and by attributes', () => {
    const program = lowered(() => {
      const [x, y] = [input('x', [2, 2]), input('y', [2, 2])]
      for (const [i, t] of [matmul(x, y), matmul(y, x), matmul(x, y, { transposeA: true })].entries()) output(`${i}`, t)
      output('most', add(x, Number.POSITIVE_INFINITY))
      output('least', add(x, Number.NEGATIVE_INFINITY))
    })
    expect(opsOf(program)).toEqual(['matmul', 'matmul', 'matmul', 'fill', 'add', 'fill', 'add'])
  })

  it('reach into a loop, and not out of it', () => {
    const program = lowered(() => {
      const x = input('x', [2])
      const outside = unary('exp', x)
      const { carry } = repeat({ count: 2, carry: { y: outside } }, ({ y }) => ({
        carry: { y: add(add(y, unary('exp', x)), unary('tanh', x)) },
      }))
      output('y', add(carry.y, unary('tanh', x)))
    })
    expect(opsOf(program)).toEqual(['exp', 'repeat', 'tanh', 'add'])
    expect(program.instructions[1].block!.instructions.map((i) => i.op)).toEqual(['add', 'tanh', 'add'])
  })

  it('are never accumulations, appends or loops', () => {
    const program = lowered(() => {
      const [x, at] = [input('x', [1, 2]), input('at', [], 'i32')]
      for (let i = 0; i < 2; i++) {
        accumulate('total', x)
        output(`view ${i}`, append(state('s', [1, 3, 2]), at, x, at))
        output(`loop ${i}`, repeat({ count: 2, carry: { x } }, ({ x }) => ({ carry: { x: add(x, x) } })).carry.x)
      }
    })
    const once = ['accumulate', 'append', 'repeat']
    expect(opsOf(program)).toEqual([...once, ...once])
  })
})

describe('neutral arithmetic', () => {
  it.each([
    ['x + 0', (x: Tensor) => add(x, 0)],
    ['0 + x', (x: Tensor) => add(0, x)],
    ['x · 1', (x: Tensor) => mul(x, 1)],
    ['1 · x', (x: Tensor) => mul(fill([2, 2], 1), x)],
    ['a reshape to the same shape', (x: Tensor) => reshape(x, [2, 2])],
    ['stopGradient', stopGradient],
  ])('%s is x', (_, fn) => {
    const program = lowered(() => output('y', fn(input('x', [2, 2]))))
    expect(program.instructions).toEqual([])
    expect(program.outputs[0].value).toBe(program.inputs[0].value)
  })

  it.each([
    ['x · 0', [2, 2], (x: Tensor) => mul(x, 0)],
    ['x + 1', [2, 2], (x: Tensor) => add(x, 1)],
    ['0 − x', [2, 2], (x: Tensor) => sub(0, x)],
    ['1 / x', [2, 2], (x: Tensor) => div(1, x)],
    ['a sum that repeats x', [], (x: Tensor) => add(x, fill([2, 2], 0))],
    ['a product that repeats x', [2, 1], (x: Tensor) => mul(fill([2, 2], 1), x)],
  ])('%s is kept', (_, shape, fn) => {
    expect(lowered(() => output('y', fn(input('x', shape)))).instructions).toHaveLength(2)
  })
})

describe('what lower binds', () => {
  it('is each source once, by name, and outputs and sums', () => {
    const program = lowered(() => {
      const [x, w] = [input('x', [2]), parameter('w', [2])]
      output('y', mul(x, w))
      output('z', add(mul(w, x), mul(x, w)))
      accumulate('total', x)
    })
    expect(program.parameters.map(({ name, shape }) => [name, shape])).toEqual([['w', [2]]])
    expect(program.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(program.outputs.map(({ name }) => name)).toEqual(['y', 'z'])
    expect(program.sums).toEqual([{ name: 'total', shape: [2], dtype: 'f32' }])
  })

  it('are sources first named inside a loop, too', () => {
    const program = lowered(() => {
      const { carry } = repeat({ count: 2, carry: { x: input('x', [2, 2]) } }, ({ x }) => ({
        carry: { x: matmul(x, add(parameter('w', [2, 2]), input('late', [2, 2]))) },
      }))
      output('x', carry.x)
    })
    expect(program.parameters.map((p) => p.name)).toEqual(['w'])
    expect(program.inputs.map((p) => p.name)).toEqual(['x', 'late'])
  })

  it('is data: it survives JSON', () => {
    const program = lowered(() => {
      const { carry } = repeat({ count: 2, carry: { x: input('x', [2, 2]) } }, ({ x }) => ({ carry: { x: add(x, x) } }))
      output('x', norm('rms', carry.x, parameter('g', [2])))
    })
    expect(JSON.parse(JSON.stringify(program))).toEqual(program)
  })
})

describe('lower refuses', () => {
  const message = (what: string) =>
    `t: ${what} is used outside of the loop or trace that made it; carry it out of the loop, or collect it`

  /** A tensor from inside a loop. */
  function inside(): Tensor {
    let leaked!: Tensor
    repeat({ count: 2, carry: { x: input('x', [2]) } }, ({ x }) => {
      leaked = unary('exp', x)
      return { carry: { x: leaked } }
    })
    return leaked
  }

  it.each([
    ['an output from inside a loop', () => output('y', inside())],
    ['an op on a tensor from inside a loop', () => output('y', unary('neg', inside()))],
    ['a sum of a tensor from inside a loop', () => accumulate('y', inside())],
    [
      'a tensor of one loop in another',
      () => {
        const leaked = inside()
        repeat({ count: 2, carry: { x: input('x', [2]) } }, ({ x }) => {
          accumulate('y', add(x, leaked))
          return { carry: { x } }
        })
      },
    ],
  ])('%s', (_, fn) => {
    expect(refusal(() => lowered(fn))).toBe(message('exp f32[2]'))
  })

  it('a tensor of another trace', () => {
    let foreign!: Tensor
    trace('other', () => {
      foreign = input('x', [3])
    })
    expect(refusal(() => lowered(() => output('y', unary('neg', foreign))))).toBe(message('input f32[3]'))
  })
})
