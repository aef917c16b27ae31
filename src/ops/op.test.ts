import { describe, expect, it } from 'vitest'
import { refusal } from '../executor/conformance/step.ts'
import { input, parameter, type Tensor, trace } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { apply, expectMatrices, type Op, shapeError } from './op.ts'

const twinsOp: Op = {
  name: 'twins',
  infer: ([x]) => [x, { shape: [], dtype: 'i32' }],
  kernel: () => {},
}

describe('apply', () => {
  it('adds a node with the types that the op infers', () => {
    let outputs: Tensor[] = []
    const graph = trace('t', () => {
      outputs = apply(twinsOp, [input('x', [2, 3])], { size: 4 })
    })
    expect(outputs.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual([
      { shape: [2, 3], dtype: 'f32' },
      { shape: [], dtype: 'i32' },
    ])
    expect(graph.scope.nodes.at(-1)).toMatchObject({ op: 'twins', attributes: { size: 4 } })
  })
})

describe('shapeError', () => {
  it('says what came and what the op takes, in one line', () => {
    const error = shapeError(
      'twins',
      [
        { shape: [2, 3], dtype: 'f32' },
        { shape: [], dtype: 'i32' },
      ],
      'two alike',
    )
    expect(error).toBeInstanceOf(LatheError)
    expect(error.message).toBe('twins got f32[2, 3] and i32[]; it takes two alike')
  })
})

describe('expectMatrices', () => {
  it.each([[[]], [[3]], [[1, 2, 3]]])('refuses shape %j', (shape) => {
    expect(refusal(() => expectMatrices('twins', [parameter('w', [2, 2]), input('x', shape)]))).toBe(
      `twins got f32[2, 2] and f32[${shape.join(', ')}]; it takes f32 matrices`,
    )
  })

  it('refuses integers', () => {
    expect(refusal(() => expectMatrices('twins', [input('x', [2, 2], 'i32')]))).toBe(
      'twins got i32[2, 2]; it takes f32 matrices',
    )
  })

  it('takes matrices', () => {
    trace('t', () => expectMatrices('twins', [input('x', [2, 1]), input('y', [1, 5])]))
  })
})
