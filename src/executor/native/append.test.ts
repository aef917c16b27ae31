import { describe, expect, it } from 'vitest'
import { compileForward } from '../../compile/index.ts'
import { input, output, state, type Tensor, trace } from '../../graph/graph.ts'
import { add, append, attention, mul, repeat, reshape } from '../../ops/index.ts'
import { forwardCase } from '../conformance/case.ts'
import { below, deviation, i32 } from '../conformance/data.ts'
import { runProgram } from '../conformance/step.ts'
import type { Executor } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'
import { nativeExecutor, nativeIsBuilt } from './index.ts'

const [d, loops] = [8, 3]
const scalar = (name: string) => input(name, [], 'i32')

/** A loop whose body appends x, of one row, to slot `index` of a state and makes the next x of the view. */
function looped(capacity: number, body: (x: Tensor, view: Tensor, index: Tensor) => Tensor, slots = loops) {
  const at = scalar('at')
  return repeat({ count: loops, carry: { x: input('x', [1, d]) } }, ({ x }, { index }) => {
    const slot = slots === 1 ? scalar('slot') : index
    const next = body(x, append(state('s', [slots, capacity, d]), slot, x, at), index)
    return { carry: { x: next }, collect: { next } }
  })
}

const attend = (x: Tensor, view: Tensor) => add(x, attention(x, view, view, { nHeads: 2, start: scalar('at') }))

describe.runIf(nativeIsBuilt())('a native append', () => {
  const native = nativeExecutor({ precision: 'f32', threads: 1 })

  /** Memory that a loop over a cache of some rows needs. */
  const arena = (body: (x: Tensor, view: Tensor) => Tensor, slots: number, capacity = 1000) => {
    const graph = trace('loop', () => output('x', looped(capacity, body, slots).carry.x))
    return native.compile(compileForward(graph).main).schedule.arenaBytes
  }

  it.each([1, loops])('copies nothing where its view is read in its own loop alone: %i slots', (slots) => {
    expect(arena(attend, slots)).toBeLessThan(4096)
    expect(arena((x, view) => attend(x, reshape(mul(view, 2), [1000, d])), slots)).toBeGreaterThan(1000 * d * 4)
  })

  const cases: [name: string, fn: () => void][] = [
    ['read in the loop', () => output('x', looped(9, attend).carry.x)],
    ['of the only slot', () => output('x', looped(9, attend, 1).carry.x)],
    ['reshaped', () => output('x', looped(9, (x, view) => attend(x, reshape(reshape(view, [9 * d]), [9, d]))).carry.x)],
    [
      'collected',
      () => {
        const { collected } = repeat({ count: loops, carry: { x: input('x', [1, d]) } }, ({ x }, { index }) => {
          const view = append(state('s', [loops, 9, d]), index, x, scalar('at'))
          return { carry: { x: attend(x, view) }, collect: { view } }
        })
        output('views', collected.view)
      },
    ],
    [
      'carried into the next loop',
      () => {
        const views = { view: input('view', [9, d]), x: input('x', [1, d]) }
        const { carry } = repeat({ count: loops, carry: views }, ({ x, view: before }, { index }) => {
          const view = append(state('s', [loops, 9, d]), index, attend(x, before), scalar('at'))
          return { carry: { view, x: attend(x, view) } }
        })
        output('x', carry.x)
        output('view', carry.view)
      },
    ],
    [
      'appended to again before it is read',
      () => {
        const { carry } = repeat({ count: loops, carry: { x: input('x', [1, d]) } }, ({ x }, { index }) => {
          const s = state('s', [loops, 9, d])
          const before = append(s, index, x, scalar('at'))
          const after = append(s, index, mul(x, 3), scalar('at'))
          return { carry: { x: add(attend(x, before), attend(x, after)) } }
        })
        output('x', carry.x)
      },
    ],
    [
      'of an inner loop and the slot of the outer one',
      () => {
        const { carry } = repeat({ count: loops, carry: { x: input('x', [1, d]) } }, ({ x }, { index }) =>
          repeat({ count: 2, carry: { x } }, ({ x }) => {
            const view = append(state('s', [loops, 9, d]), index, x, scalar('at'))
            return { carry: { x: attend(x, view) } }
          }),
        )
        output('x', carry.x)
      },
    ],
    [
      'of a slot that an input names',
      () => {
        const view = append(state('s', [loops, 9, d]), scalar('slot'), input('x', [1, d]), scalar('at'))
        output('x', attend(input('x', [1, d]), view))
      },
    ],
    [
      'that is an output',
      () => output('view', append(state('s', [1, 9, d]), scalar('slot'), input('x', [1, d]), scalar('at'))),
    ],
  ]

  it.each(cases)('gives a view as the reference does: %s', async (name, fn) => {
    const one = forwardCase(name, { at: i32([], below(9)), slot: i32([], below(1)) }, fn)
    const results = async (executor: Executor) => {
      const run = one.run()
      return { ...(await runProgram(executor, one.program, run)).outputs, ...run.states }
    }
    const [got, wanted] = [await results(native), await results(referenceExecutor())]
    for (const [name, values] of Object.entries(wanted)) expect(deviation(got[name], values), name).toBeLessThan(1e-6)
  })
})
