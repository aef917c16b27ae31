import { describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/reference/index.ts'
import { accumulate, input, output, parameter, type Tensor, trace } from '../graph/graph.ts'
import { add, matmul, mul, norm, repeat, sum, unary } from '../ops/index.ts'
import { compileForward, compileTraining, printProgram } from './index.ts'

describe('differentiate', () => {
  it('prints a loop as one instruction, forward and back', () => {
    let loss!: Tensor
    const graph = trace('toy', () => {
      const w = parameter('w', [3, 3])
      const { carry } = repeat({ count: 4, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({
        carry: { x: add(x, unary('tanh', matmul(x, w))) },
      }))
      loss = sum(unary('square', carry.x))
    })
    console.log(printProgram(compileTraining(graph, loss).main))
  })
})
