import { describe, expect, it } from 'vitest'
import { refusal, runStep } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { accumulate, input, output, parameter, state, type Tensor, trace } from '../graph/graph.ts'
import {
  add,
  append,
  apply,
  attention,
  linearCrossEntropy,
  matmul,
  mul,
  ops,
  repeat,
  slice,
  stopGradient,
  sum,
  unary,
} from '../ops/index.ts'
import { compileTraining, gradientName, type Instruction } from './index.ts'

const training = (fn: () => Tensor) => {
  let loss!: Tensor
  return compileTraining(
    trace('train', () => {
      loss = fn()
    }),
    loss,
  )
}

const run = (fn: () => Tensor, parameters: Record<string, number[]>, inputs: Record<string, number[]>, count = 1) => {
  const arrays = (lists: Record<string, number[]>) =>
    Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, Float32Array.from(list)]))
  return runStep(referenceExecutor(), training(fn), { count, parameters: arrays(parameters), inputs: arrays(inputs) })
}

/** Every instruction, those of loop bodies after their loop. */
const allInstructions = (list: readonly Instruction[]): Instruction[] =>
  list.flatMap((i) => [i, ...allInstructions(i.block?.instructions ?? [])])

describe('differentiate', () => {
  it('sums loss and gradients over the sequences of a batch', async () => {
    const fn = () => sum(mul(unary('square', parameter('w', [2])), input('x', [2])))
    const { sums } = await run(fn, { w: [3, 4] }, { x: [1, 0, 10, 100] }, 2)
    expect([...sums.loss]).toEqual([9 + 90 + 1600])
    expect([...sums['grad:w']]).toEqual([6 * 11, 8 * 100])
  })

  it('follows an op of which an equal one, not differentiated, came before', async () => {
    const grads = async (loss: (read: () => Tensor) => Tensor) => {
      const fn = () => {
        const [q, kv] = [parameter('q', [2, 4]), input('kv', [3, 4])]
        return loss(() => attention(q, kv, kv, { nHeads: 2, causal: false }))
      }
      const kv = [1, -2, 0.5, 1, 0, 1, -1, 2, 0.3, 0.1, 1, -1]
      const { sums } = await run(fn, { q: [1, 2, -1, 0.5, -0.3, 1, 0.2, -2] }, { kv })
      return [...sums['grad:q']]
    }
    const apart = await grads((read) => {
      const target = stopGradient(read())
      return sum(mul(target, read()))
    })
    const whole = await grads((read) => sum(mul(unary('square', read()), 0.5)))
    expect(whole.some((x) => Math.abs(x) > 1e-3)).toBe(true)
    for (const [i, x] of apart.entries()) expect(x).toBeCloseTo(whole[i], 6)
  })

  it('adds up every use of a parameter', async () => {
    const fn = () => {
      const w = parameter('w', [])
      const x = input('x', [])
      const { carry } = repeat({ count: 3, carry: { y: mul(x, w) } }, ({ y }) => ({ carry: { y: mul(y, w) } }))
      return add(mul(carry.y, w), mul(w, x))
    }
    const { sums } = await run(fn, { w: [2] }, { x: [1] })
    expect([...sums.loss]).toEqual([32 + 2])
    expect([...sums['grad:w']]).toEqual([5 * 16 + 1])
  })

  it('adds a shared weight up where the loop runs, with no carried sum', () => {
    const { main } = training(() => {
      const w = parameter('w', [3, 3])
      return sum(
        repeat({ count: 5, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({ carry: { x: matmul(x, w) } })).carry.x,
      )
    })
    const back = main.instructions.filter((i) => i.op === 'repeat').at(-1)!
    expect(back.block!.instructions.filter((i) => i.op === 'accumulate').map((i) => i.attributes.name)).toEqual([
      'grad:w',
    ])
    expect(back.block!.carry).toHaveLength(1)
  })

  it('gives a parameter that the loss does not need no gradient', () => {
    const { main } = training(() => {
      const [used, unused] = [parameter('used', [2]), parameter('unused', [2])]
      const x = input('x', [2])
      output('other', mul(unused, x))
      return sum(mul(used, x))
    })
    expect(main.sums.map((s) => s.name)).toEqual(['loss', 'grad:used'])
    expect(main.parameters.map((p) => p.name).sort()).toEqual(['unused', 'used'])
  })

  it('computes no cotangent that leads to no parameter', () => {
    const { main } = training(() => sum(matmul(unary('exp', input('x', [3, 3])), parameter('w', [3, 3]))))
    const products = allInstructions(main.instructions).filter((i) => i.op === 'matmul')
    expect(products).toHaveLength(2) // x w and its gradient by w; none by x
  })

  it('asks integers for no gradient', () => {
    const { main } = training(() =>
      sum(linearCrossEntropy(input('x', [2, 3]), parameter('w', [4, 3]), input('targets', [2], 'i32')).losses),
    )
    expect(main.sums.map((s) => s.name)).toEqual(['loss', 'grad:w'])
  })

  it('takes a loss of parameters alone', async () => {
    const square = await run(() => sum(unary('square', parameter('w', [2]))), { w: [3, 4] }, {})
    expect([...square.sums.loss]).toEqual([25])
    expect([...square.sums['grad:w']]).toEqual([6, 8])
    const bare = await run(() => parameter('w', []), { w: [3] }, {})
    expect([...bare.sums['grad:w']]).toEqual([1])
  })

  it('takes a loss that no parameter enters', async () => {
    const { sums } = await run(() => sum(input('x', [2])), {}, { x: [1, 2] })
    expect([...sums.loss]).toEqual([3])
    expect(Object.keys(sums)).toEqual(['loss'])
  })

  it('leaves other sums and outputs as they are', async () => {
    const fn = () => {
      const y = mul(parameter('w', []), input('x', []))
      output('y', y)
      accumulate('total', y)
      return unary('square', y)
    }
    const { outputs, sums } = await run(fn, { w: [2] }, { x: [1, 3] }, 2)
    expect([...outputs.y]).toEqual([2, 6])
    expect([...sums.total]).toEqual([8])
    expect([...sums['grad:w']]).toEqual([4 + 36])
  })

  it('names gradients after their parameters', () => {
    expect(gradientName('lm_head.weight')).toBe('grad:lm_head.weight')
  })
})

describe('differentiate refuses', () => {
  const w = () => parameter('w', [2, 3])

  it('a loss that is no scalar', () => {
    expect(refusal(() => training(() => mul(w(), input('x', [2, 3]))))).toBe(
      'the loss must be a scalar, not [2, 3]: sum it first',
    )
  })

  it('an op that has no derivative, by name', () => {
    const scattered = (x: Tensor) => apply(ops.get('embedGrad')!, [input('ids', [2], 'i32'), x], { vocabulary: 2 })[0]
    const refused = 'embedGrad has no derivative; put stopGradient around it'
    expect(refusal(() => training(() => sum(scattered(mul(w(), input('x', [2, 3]))))))).toBe(refused)
    const inLoop = () =>
      repeat({ count: 2, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({ carry: { x: scattered(mul(x, w())) } }))
    expect(refusal(() => training(() => sum(inLoop().carry.x)))).toBe(refused)
  })

  it('a gradient through a state, unless it is stopped', () => {
    const kept = (rows: Tensor) =>
      sum(append(state('s', [1, 4, 3]), input('slot', [], 'i32'), rows, input('at', [], 'i32')))
    const rows = () => slice(mul(w(), input('x', [2, 3])), 0, 0, 1)
    expect(refusal(() => training(() => kept(rows())))).toBe('append has no derivative; put stopGradient around it')
    expect(training(() => kept(stopGradient(rows()))).main.sums.map((s) => s.name)).toEqual(['loss'])
  })

  it('a sum of the same name, and so to go back twice', () => {
    const message = 'train: the sum loss is the loss that gradients are taken of; name yours otherwise'
    const fn = () => {
      const loss = sum(mul(w(), input('x', [2, 3])))
      accumulate('loss', loss)
      return loss
    }
    expect(refusal(() => training(fn))).toBe(message)
    let loss!: Tensor
    const graph = trace('train', () => {
      loss = sum(mul(w(), input('x', [2, 3])))
    })
    compileTraining(graph, loss)
    expect(refusal(() => compileTraining(graph, loss))).toBe(message)
  })

  it('a loss that is still inside its loop', () => {
    const fn = () => {
      let inside!: Tensor
      repeat({ count: 2, carry: { x: input('x', []) } }, ({ x }) => {
        inside = mul(x, parameter('w', []))
        return { carry: { x: inside } }
      })
      return inside
    }
    expect(refusal(() => training(fn))).toBe(
      'train: mul f32[] is used outside of the loop or trace that made it; carry it out of the loop, or collect it',
    )
  })
})
