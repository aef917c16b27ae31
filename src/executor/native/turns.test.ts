import { describe, expect, it } from 'vitest'
import { compileTraining } from '../../compile/index.ts'
import { input, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { attention, matmul, mul, rope, sum } from '../../ops/index.ts'
import { nativeExecutor, nativeIsBuilt } from './index.ts'

const product = (name: string): Tensor => matmul(input('x', [5, 8]), parameter(name, [8, 8]))

/** The attention's gradient and what turns, in order, of a loss of it. */
function turning(build: (q: Tensor, k: Tensor, v: Tensor) => Tensor): string[] {
  let loss!: Tensor
  const graph = trace('turning', () => {
    const y = build(product('q'), product('k'), product('v'))
    loss = sum(mul(y, y))
  })
  const { schedule } = nativeExecutor({ threads: 1 }).compile(compileTraining(graph, loss).main)
  const lines = schedule.print().split('\n')
  return lines
    .map((line) => line.trim().replace('each: ', '').split(' ')[0])
    .filter((kernel) => /^(rope|attentionGrad)$/.test(kernel))
}

describe.runIf(nativeIsBuilt())('what attention gives back to a rope', () => {
  it('is turned by it, of queries and keys or one of both', () => {
    expect(turning((q, k, v) => attention(q, k, v, { nHeads: 2, ropeBase: 10 }))).toEqual([
      'rope',
      'rope',
      'attentionGrad',
    ])
    const keysAlone = turning((q, k, v) => attention(q, rope(k, { nHeads: 2, base: 10 }), v, { nHeads: 2 }))
    expect(keysAlone).toEqual(['rope', 'attentionGrad'])
  })

  it('is turned apart where heads differ, or something else takes part in it', () => {
    const otherHeads = turning((q, k, v) => attention(q, rope(k, { nHeads: 1, base: 10 }), v, { nHeads: 2 }))
    expect(otherHeads).toEqual(['rope', 'attentionGrad', 'rope'])
    const twice = turning((q, k, v) => {
      const turned = rope(k, { nHeads: 2, base: 10 })
      return mul(attention(q, turned, v, { nHeads: 2 }), turned)
    })
    expect(twice).toEqual(['rope', 'attentionGrad', 'rope'])
  })
})
