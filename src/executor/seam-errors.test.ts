import { describe, expect, it } from 'vitest'
import { lower } from '../compile/index.ts'
import { type Graph, input, output, parameter, state, type Tensor, trace } from '../graph/index.ts'
import {
  append,
  embed,
  fill,
  linearCrossEntropy,
  matmul,
  mul,
  repeat,
  reshape,
  slice,
  softmax,
  takeRow,
  unary,
} from '../ops/index.ts'
import { nativeExecutor, nativeIsBuilt, referenceExecutor } from './index.ts'

const executors = [referenceExecutor(), ...(nativeIsBuilt() ? [nativeExecutor({ precision: 'f32', threads: 2 })] : [])]

describe.each(executors)('on $name', (executor) => {
  it('a reshaped value broadcasts by its new shape', async () => {
    const product = trace('product', () => output('y', mul(input('x', [3, 3]), reshape(input('s', [3]), [3, 1]))))
    const inputs = { x: new Float32Array(9).fill(1), s: Float32Array.of(1, 2, 3) }
    const { y } = await executor.compile(lower(product)).run({ count: 1, inputs })
    expect([...y]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3])
  })

  it('ids outside of their table are refused before anything runs', async () => {
    const lookup = trace('lookup', () => output('y', embed(parameter('table', [4, 2]), input('ids', [3], 'i32'))))
    const executable = executor.compile(lower(lookup))
    const run = (ids: number[]) =>
      executable.run({ count: 1, parameters: { table: new Float32Array(8) }, inputs: { ids: Int32Array.from(ids) } })
    await expect(run([0, 4, 1])).rejects.toThrow('lookup: input ids holds 4 at 1; it must be from 0 to 3')
    await expect(run([0, 1, -1])).rejects.toThrow('holds -1 at 2')
    expect((await run([3, 0, 1])).y).toHaveLength(6)
  })

  it('ids cut out of an input, or handed to a loop, are checked, too', async () => {
    const table = () => parameter('table', [4, 2])
    const cut = trace('cut', () =>
      output('y', embed(table(), reshape(slice(input('ids', [4, 1], 'i32'), 0, 1, 2), [2]))),
    )
    const turns = trace('turns', () => {
      const scan = { ids: input('ids', [2, 2], 'i32') }
      const { collected } = repeat({ count: 2, carry: {}, scan }, (_, { slices }) => ({
        carry: {},
        collect: { y: embed(table(), slices.ids) },
      }))
      output('y', collected.y)
    })
    const targets = trace('targets', () => {
      const ids = input('ids', [2], 'i32')
      const { losses } = linearCrossEntropy(embed(table(), ids), parameter('head', [5, 2]), ids)
      output('y', losses)
    })
    for (const graph of [cut, turns, targets]) {
      const program = lower(graph)
      const executable = executor.compile(program)
      const parameters = { table: new Float32Array(8), head: new Float32Array(10) }
      const ids = new Int32Array(program.inputs[0].shape.reduce((a, b) => a * b, 1))
      const run = () => executable.run({ count: 1, parameters, inputs: { ids } })
      expect((await run()).y.length).toBeGreaterThan(0)
      for (const wrong of [4, -1]) {
        ids[1] = wrong
        await expect(run()).rejects.toThrow(`${graph.name}: input ids holds ${wrong} at 1; it must be from 0 to 3`)
      }
    }
  })

  it('what the Program counts itself is checked before it is compiled', async () => {
    const take = (rows: number) =>
      trace('take', () => {
        const table = input('table', [rows, 2])
        const { collected } = repeat({ count: 3, carry: {} }, (_, { index }) => ({
          carry: {},
          collect: { y: takeRow(table, index) },
        }))
        output('y', collected.y)
      })
    const predict = (rows: number) =>
      trace('predict', () => {
        const { predictions } = linearCrossEntropy(
          input('x', [2, 2]),
          parameter('head', [5, 2]),
          input('ids', [2], 'i32'),
        )
        output('y', embed(input('table', [rows, 2]), predictions))
      })
    const slots = (count: number) =>
      trace('slots', () => {
        const [kv, at, row] = [state('kv', [2, 3, 1]), input('at', [], 'i32'), input('row', [1, 1])]
        const body = (_: object, { index }: { index: Tensor }) => ({
          carry: {},
          collect: { y: append(kv, index, row, at) },
        })
        output('y', repeat({ count, carry: {} }, body).collected.y)
      })
    const refused = (graph: Graph) => expect(() => executor.compile(lower(graph)))
    const room = (rows: number) => `from a loop's index or predictions, where there is room for 0 to ${rows - 1}`
    refused(take(2)).toThrow(`take: takeRow may meet 2, ${room(2)}`)
    refused(predict(4)).toThrow(`predict: embed may meet 4, ${room(4)}`)
    refused(slots(3)).toThrow(`slots: append may meet 2, ${room(2)}`)
    for (const graph of [take(3), predict(5), slots(2)]) refused(graph).not.toThrow()
  })

  it('ids that a loop hands round are checked, however many turns they take', async () => {
    const graph = trace('round', () => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => input(name, [1], 'i32'))
      const { carry, collected } = repeat({ count: 3, carry: { a, b, c } }, ({ a, b, c }) => ({
        carry: { a: b, b: c, c: a },
        collect: { y: embed(input('table', [2, 1]), a) },
      }))
      output('y', collected.y)
      output('last', carry.c)
    })
    const executable = executor.compile(lower(graph))
    const run = (last: number) => {
      const inputs = {
        a: new Int32Array(1),
        b: new Int32Array(1),
        c: Int32Array.of(last),
        table: Float32Array.of(6, 7),
      }
      return executable.run({ count: 1, inputs })
    }
    await expect(run(2)).rejects.toThrow('round: input c holds 2 at 0; it must be from 0 to 1')
    expect([...(await run(1)).y]).toEqual([6, 6, 7])
  })

  it('an index is not held to the table of what it points at', async () => {
    const graph = trace('indirect', () => {
      const ids = takeRow(input('stack', [5, 2], 'i32'), input('at', [], 'i32'))
      output('y', embed(input('table', [3, 1]), ids))
    })
    const inputs = {
      stack: Int32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
      at: Int32Array.of(4),
      table: Float32Array.of(6, 7, 8),
    }
    const { y } = await executor.compile(lower(graph)).run({ count: 1, inputs })
    expect([...y]).toEqual([7, 8])
  })

  it('no tensor is empty', () => {
    const graphs: [string, Graph][] = [
      ['a tensor w of f32[0, 2]', trace('t', () => output('y', matmul(input('x', [3, 0]), parameter('w', [0, 2]))))],
      ['a tensor x of f32[3, 0]', trace('t', () => output('y', softmax(input('x', [3, 0]))))],
      ['a tensor y of f32[2, 0]', trace('t', () => output('y', fill([2, 0], 1)))],
    ]
    for (const [what, graph] of graphs)
      expect(() => executor.compile(lower(graph))).toThrow(`t: ${what}: every size must be a whole number, 1 or more`)
  })

  it('a state is read through what was appended to it alone', () => {
    const kv = () => state('kv', [2, 3, 1])
    const readers: [string, () => void][] = [
      ['takeRow', () => output('y', takeRow(kv(), input('at', [], 'i32')))],
      [
        'append',
        () => output('y', append(kv(), input('at', [], 'i32'), state('rows', [2, 1]), input('at', [], 'i32'))),
      ],
      [
        'repeat',
        () => output('y', repeat({ count: 2, carry: { x: kv() } }, ({ x }) => ({ carry: { x: mul(x, 2) } })).carry.x),
      ],
      [
        'repeat',
        () => output('y', repeat({ count: 2, carry: {} }, () => ({ carry: {}, collect: { y: kv() } })).collected.y),
      ],
      ['output y', () => output('y', kv())],
    ]
    for (const [reader, fn] of readers)
      expect(() => executor.compile(lower(trace('t', fn)))).toThrow(
        `t: ${reader} reads the state ${reader === 'append' ? 'rows' : 'kv'}: read what append returns`,
      )
  })

  it('only a state is appended to', () => {
    const at = () => input('at', [], 'i32')
    const own = trace('t', () => output('y', append(parameter('w', [1, 2, 1]), at(), input('x', [1, 1]), at())))
    expect(() => executor.compile(lower(own))).toThrow('which is no state: only a state is a sequence')
  })

  it.each([0, -1, 1.5, Number.NaN, 1e9])('%d groups are refused', (groups) => {
    const graph = trace('t', () => output('y', mul(input('x', [2]), 2)))
    expect(() => executor.compile(lower(graph), { groups })).toThrow(
      `t: groups must be a whole number from 1 to 65536, got ${groups}`,
    )
  })

  it('a negative zero is another constant than zero', async () => {
    const graph = trace('t', () => {
      for (const [name, value] of [
        ['plus', 0],
        ['minus', -0],
      ] as const)
        output(name, unary('reciprocal', fill([1], value)))
    })
    const { plus, minus } = await executor.compile(lower(graph)).run({ count: 1 })
    expect([plus[0], minus[0]]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  })

  it('rows are not appended outside of their state', async () => {
    const graph = trace('cache', () => {
      const i32 = (name: string) => input(name, [], 'i32')
      output('view', append(state('slots', [2, 3, 1]), i32('slot'), input('rows', [2, 1]), i32('start')))
    })
    const executable = executor.compile(lower(graph))
    const slots = new Float32Array(6)
    const run = (slot: number, start: number) => {
      const inputs = { slot: Int32Array.of(slot), start: Int32Array.of(start), rows: Float32Array.of(1, 2) }
      return executable.run({ count: 1, inputs, states: { slots } })
    }
    await expect(run(0, 2)).rejects.toThrow('cache: input start holds 2 at 0; it must be from 0 to 1')
    await expect(run(2, 0)).rejects.toThrow('cache: input slot holds 2 at 0; it must be from 0 to 1')
    expect([...slots]).toEqual([0, 0, 0, 0, 0, 0])
    await run(1, 1)
    expect([...slots]).toEqual([0, 0, 0, 0, 1, 2])
  })

  it('one executable with parameters cannot come twice in runAll', async () => {
    const scale = trace('scale', () => output('y', mul(input('x', [2]), parameter('w', [2]))))
    const executable = executor.compile(lower(scale))
    const run = { count: 1, inputs: { x: Float32Array.of(1, 2) }, parameters: { w: Float32Array.of(3, 4) } }
    const jobs = [
      { executable, run },
      { executable, run },
    ]
    await expect(executor.runAll(jobs)).rejects.toThrow('scale has parameters or sums and comes twice in runAll')
  })
})
