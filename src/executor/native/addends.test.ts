import { describe, expect, it } from 'vitest'
import { compileForward } from '../../compile/index.ts'
import { accumulate, input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { add, matmul, mul } from '../../ops/index.ts'
import { nativeExecutor, nativeIsBuilt } from './index.ts'

const x = () => input('x', [4, 8])
const product = () => matmul(x(), parameter('w', [8, 8]))

/** Kernels of a Program of x, and how many values each reads. */
function kernels(build: () => void): string[] {
  const program = compileForward(trace('t', build)).main
  const lines = nativeExecutor({ precision: 'f32', threads: 1 }).compile(program).schedule.print().split('\n')
  return lines.flatMap((line) => {
    const call = /^ +(?:each: )?(\w+) \((.*)\) →/.exec(line)
    return call ? [`${call[1]} of ${call[2].split(', ').length}`] : []
  })
}
const result = (z: () => Tensor) => () => output('z', z())

describe.runIf(nativeIsBuilt())('a sum that a product goes into', () => {
  it('begins with the other tensor, in one call', () => {
    expect(kernels(result(() => add(x(), product())))).toEqual(['matmul of 3'])
    expect(kernels(result(() => add(product(), x())))).toEqual(['matmul of 3'])
    expect(kernels(result(() => add(product(), product())))).toEqual(['matmul of 2', 'elementwise of 1'])
    expect(kernels(result(() => add(product(), matmul(x(), parameter('v', [8, 8])))))).toEqual([
      'matmul of 2',
      'matmul of 3',
    ])
  })

  it('is a pass of its own where the product is read elsewhere, the shapes differ or the sum is accumulated', () => {
    const twice = () => {
      const once = product()
      output('z', add(x(), once))
      output('product', once)
    }
    expect(kernels(twice)).toEqual(['matmul of 2', 'elementwise of 2'])
    expect(kernels(result(() => add(product(), parameter('row', [8]))))).toEqual(['matmul of 2', 'elementwise of 2'])
    expect(kernels(() => accumulate('sum', add(product(), x())))).toEqual(['matmul of 2', 'elementwise of 2'])
    expect(kernels(result(() => mul(product(), x())))).toEqual(['matmul of 2', 'elementwise of 2'])
  })
})
