import { describe, expect, it } from 'vitest'
import { refusal } from '../executor/conformance/step.ts'
import { add, matmul, mul, norm, repeat, unary } from '../ops/index.ts'
import { LatheError } from '../settings/error.ts'
import { accumulate, extend, input, output, parameter, scopeNow, state, type Tensor, trace } from './graph.ts'

describe('trace', () => {
  it('records sources, outputs and sums by name', () => {
    const graph = trace('double', () => {
      const x = input('x', [4])
      output('y', add(x, x))
      accumulate('total', x)
      accumulate('total', add(x, parameter('w', [4])))
      state('slots', [1, 8, 4])
      input('ids', [4], 'i32')
    })
    expect([...graph.sources].map(([name, t]) => [name, t.node.op, t.shape, t.dtype])).toEqual([
      ['x', 'input', [4], 'f32'],
      ['w', 'parameter', [4], 'f32'],
      ['slots', 'state', [1, 8, 4], 'f32'],
      ['ids', 'input', [4], 'i32'],
    ])
    expect([...graph.outputs.keys()]).toEqual(['y'])
    expect([...graph.sums]).toEqual([['total', { shape: [4], dtype: 'f32' }]])
  })

  it('gives the same tensor for the same name', () => {
    trace('t', () => {
      expect(parameter('w', [2])).toBe(parameter('w', [2]))
      expect(input('x', [2], 'i32')).toBe(input('x', [2], 'i32'))
    })
  })

  it('starts afresh each time', () => {
    const [one, other] = ['one', 'other'].map((name) => trace(name, () => output('y', parameter('w', [2]))))
    expect(one.sources.get('w')).not.toBe(other.sources.get('w'))
  })

  it('is over when its function ends, or throws', () => {
    expect(() =>
      trace('t', () => {
        throw new Error('oops')
      }),
    ).toThrow('oops')
    expect(() => scopeNow()).toThrow(LatheError)
    expect(() => input('x', [1])).toThrow('inputs, parameters and outputs can only be named inside trace(…)')
  })

  it('may stand inside another one', () => {
    const outer = trace('outer', () => {
      input('a', [1])
      trace('inner', () => input('b', [1]))
      input('c', [1])
    })
    expect([...outer.sources.keys()]).toEqual(['a', 'c'])
  })

  it('can be gone on with', () => {
    const graph = trace('t', () => input('x', [2]))
    extend(graph, () => output('y', add(input('x', [2]), 1)))
    expect([...graph.sources.keys()]).toEqual(['x'])
    expect([...graph.outputs.keys()]).toEqual(['y'])
  })
})

describe('outside of trace', () => {
  let x!: Tensor
  trace('t', () => {
    x = input('x', [2])
  })

  it.each([
    ['an op', () => add(x, x), 'symbolic tensors can only be made inside trace(…)'],
    ['a parameter', () => parameter('w', [1]), 'inputs, parameters and outputs can only be named inside trace(…)'],
    ['a state', () => state('s', [1]), 'inputs, parameters and outputs can only be named inside trace(…)'],
    ['an output', () => output('y', x), 'inputs, parameters and outputs can only be named inside trace(…)'],
    ['a sum', () => accumulate('s', x), 'inputs, parameters and outputs can only be named inside trace(…)'],
  ])('%s is refused', (_, fn, message) => {
    expect(fn).toThrow(new LatheError(message))
  })
})

describe('a name', () => {
  it.each([
    [
      'of a parameter with another shape',
      () => [parameter('w', [2, 3]), parameter('w', [3, 2])],
      'parameter w is f32[3, 2] here, but parameter f32[2, 3] elsewhere',
    ],
    [
      'of an input with another type',
      () => [input('x', [2]), input('x', [2], 'i32')],
      'input x is i32[2] here, but input f32[2] elsewhere',
    ],
    [
      'of another kind',
      () => [parameter('x', [2]), input('x', [2])],
      'input x is f32[2] here, but parameter f32[2] elsewhere',
    ],
    ['of two outputs', () => [1, 2].map(() => output('y', input('x', [2]))), 'the output y is named twice'],
    [
      'of a sum and an output',
      () => [accumulate('y', input('x', [2])), output('y', input('x', [2]))],
      'the output y is named twice',
    ],
    [
      'of an output and a sum',
      () => [output('y', input('x', [2])), accumulate('y', input('x', [2]))],
      'the sum y of f32[2] clashes with another output of that name',
    ],
    [
      'of sums of two shapes',
      () => [accumulate('y', input('x', [2])), accumulate('y', input('z', [3]))],
      'the sum y of f32[3] clashes with another output of that name',
    ],
    ['of integers for a sum', () => accumulate('y', input('n', [2], 'i32')), 'the sum y of i32[2] must be f32'],
  ])('%s is refused', (_, fn, message) => {
    expect(refusal(fn)).toBe(`refused: ${message}`)
  })
})

describe('work on parameters alone', () => {
  it('is known as such, and moves out of loops', () => {
    let [inside, mixed]: Tensor[] = []
    const graph = trace('t', () => {
      repeat({ count: 3, carry: { x: input('x', [2, 2]) } }, ({ x }) => {
        inside = norm('rms', matmul(parameter('w', [2, 2]), parameter('u', [2, 2])), parameter('g', [2]))
        mixed = matmul(x, inside)
        return { carry: { x: mixed } }
      })
    })
    expect(inside.node).toMatchObject({ parameterOnly: true, scope: graph.scope })
    expect(mixed.node.parameterOnly).toBe(false)
    expect(mixed.node.scope).not.toBe(graph.scope)
    expect(graph.scope.nodes.indexOf(inside.node)).toBeLessThan(graph.scope.nodes.length - 1)
  })

  it('ends where an input, a constant or an accumulation comes in', () => {
    trace('t', () => {
      const w = parameter('w', [2])
      expect(unary('exp', w).node.parameterOnly).toBe(true)
      expect(mul(w, input('x', [2])).node.parameterOnly).toBe(false)
      accumulate('s', w)
      expect(scopeNow().nodes.at(-1)).toMatchObject({ op: 'accumulate', parameterOnly: false })
    })
  })
})

describe('a tensor', () => {
  it('says what it is', () => {
    trace('t', () => expect(`${unary('tanh', input('x', [2, 3]))}`).toMatch(/^tanh#\d+: f32\[2, 3\]$/))
  })
})
