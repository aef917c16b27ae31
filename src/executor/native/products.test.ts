import { describe, expect, it } from 'vitest'
import { compileForward } from '../../compile/index.ts'
import { accumulate, input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { add, div, matmul, mul, repeat, sum, unary } from '../../ops/index.ts'
import { nativeExecutor, nativeIsBuilt } from './index.ts'

const x = () => input('x', [4, 8])
const product = () => matmul(x(), parameter('w', [8, 8]))

/** The kernels of a Program, in order. */
function kernels(build: () => void): string[] {
  const executor = nativeExecutor({ precision: 'f32', threads: 1, timed: true })
  executor.compile(compileForward(trace('t', build)).main)
  return executor.spent!().map(({ kernel, detail }) => `${kernel} ${detail}`.trim())
}
const result = (z: () => Tensor) => () => output('z', z())
const plain = 'matmul 4 × 8 × 8'

describe.runIf(nativeIsBuilt())('a sum that a product goes into', () => {
  it('is what the product begins with', () => {
    expect(kernels(result(() => add(x(), product())))).toEqual([plain])
    expect(kernels(result(() => add(product(), x())))).toEqual([plain])
    expect(kernels(result(() => add(product(), matmul(x(), parameter('v', [8, 8])))))).toEqual([plain, plain])
  })

  it('is a pass of its own where the product is read elsewhere, the shapes differ or the sum is accumulated', () => {
    const twice = () => {
      const once = product()
      output('z', add(x(), once))
      output('product', once)
    }
    expect(kernels(twice)).toEqual([`${plain}, add`])
    expect(kernels(result(() => add(product(), product())))).toEqual([`${plain}, add`])
    expect(kernels(result(() => add(product(), parameter('row', [8]))))).toEqual([`${plain}, add`])
    expect(kernels(() => accumulate('sum', add(product(), x())))).toEqual([plain, 'elementwise add'])
  })

  it('is a pass of its own with a weight, which sequences side by side could not share', () => {
    expect(kernels(result(() => add(product(), parameter('v', [4, 8]))))).toEqual([plain, 'elementwise add'])
  })
})

describe.runIf(nativeIsBuilt())('an elementwise pass over a product', () => {
  it('runs in the same call, row by row', () => {
    expect(kernels(result(() => mul(unary('gelu', product()), x())))).toEqual([`${plain}, gelu mul`])
    expect(kernels(result(() => unary('gelu', add(product(), x()))))).toEqual([`${plain}, gelu`])
  })

  it('takes a product made before other steps with it', () => {
    const z = () => {
      const first = product()
      const other = matmul(x(), parameter('v', [8, 3]))
      output('other', other)
      return unary('gelu', first)
    }
    expect(kernels(result(z))).toEqual(['matmul 4 × 8 × 3', `${plain}, gelu`])
  })

  it('is one of its own where another step reads the product first, or it would write over an operand', () => {
    const between = () => {
      const first = product()
      output('other', matmul(first, parameter('v', [8, 3])))
      return unary('gelu', first)
    }
    expect(kernels(result(between))).toEqual([plain, 'matmul 4 × 8 × 3', 'elementwise gelu'])
    const carried = () =>
      repeat({ count: 2, carry: { a: x() } }, ({ a }) => ({
        carry: { a: unary('tanh', matmul(a, parameter('w', [8, 8]))) },
      })).carry.a
    expect(kernels(result(carried))).toContain('elementwise tanh')
    expect(kernels(result(carried))).toContain(plain)
  })
})

describe.runIf(nativeIsBuilt())('a single number', () => {
  const number = (name: string) => input(name, [])

  it('is made before a pass that it would cut in two', () => {
    const late = () => {
      const scaled = mul(x(), number('a'))
      return add(scaled, mul(number('b'), number('c')))
    }
    expect(kernels(result(late))).toEqual(['elementwise mul', 'elementwise mul add'])
  })

  it('is made after what it needs', () => {
    const norm = () => {
      const scaled = mul(x(), number('a'))
      return div(scaled, unary('sqrt', sum(scaled)))
    }
    expect(kernels(result(norm))).toEqual(['elementwise mul', 'sumTo', 'elementwise sqrt', 'elementwise div'])
  })

  it('is made in its loop', () => {
    const looped = () =>
      repeat({ count: 2, carry: { z: x(), n: number('n') } }, ({ z, n }) => {
        const scaled = mul(z, n)
        const next = mul(n, 3)
        return { carry: { z: add(scaled, next), n: next } }
      }).carry.z
    const passes = kernels(result(looped)).filter((kernel) => kernel.startsWith('elementwise'))
    expect(passes).toEqual(['elementwise mul', 'elementwise mul add'])
  })
})
