import { describe, expect, it } from 'vitest'
import { compileForward, compileTraining, type Program } from '../../compile/index.ts'
import { accumulate, input, output, parameter, state, type Tensor, trace } from '../../graph/graph.ts'
import { add, append, attention, embed, matmul, mul, norm, repeat, sum, unary } from '../../ops/index.ts'
import { LatheError } from '../../settings/error.ts'
import type { Executor, Numbers, Run } from '../executor.ts'
import { programCase } from './case.ts'
import { below, f32, i32, relativeError, scaled } from './data.ts'
import { candidates, references } from './executors.ts'
import { emptySums, runProgram, type Sums } from './step.ts'

/** y = 2 x + w and n = the ids, `total` the sum of y. */
const affine = compileForward(
  trace('affine', () => {
    const y = add(mul(input('x', [2]), 2), parameter('w', [2]))
    output('y', y)
    output('n', input('ids', [3], 'i32'))
    accumulate('total', y)
  }),
).main

const w = Float32Array.of(10, 20)
const affineRun = (count: number): Run => ({
  count,
  parameters: { w },
  inputs: {
    x: Float32Array.from({ length: 2 * count }, (_, i) => i),
    ids: Int32Array.from({ length: 3 * count }, (_, i) => -i),
  },
})

/** A looped block with norms, attention, a shared weight and a table, forward and back: some of everything. */
const block = (() => {
  let loss!: Tensor
  const graph = trace('block', () => {
    const x = embed(parameter('table', [7, 12]), input('ids', [9], 'i32'))
    const weight = parameter('weight', [12, 12])
    const { carry } = repeat({ count: 3, carry: { x } }, ({ x }) => {
      const h = norm('rms', x, parameter('gain', [12]))
      const mixed = attention(matmul(h, weight), h, matmul(h, weight, { transposeB: true }), {
        nHeads: 2,
        ropeBase: 100,
      })
      return { carry: { x: add(x, unary('gelu', mixed)) } }
    })
    output('x', carry.x)
    loss = sum(mul(carry.x, input('weights', [9, 12])))
  })
  const samples = { ids: i32([9], below(7)), weight: f32([12, 12], scaled(0.3)) }
  return programCase('block', compileTraining(graph, loss).main, samples, 11)
})()

const bits = (record: Record<string, Numbers>): Record<string, Uint32Array> =>
  Object.fromEntries(
    Object.entries(record).map(([name, a]) => [name, new Uint32Array(a.buffer, a.byteOffset, a.length)]),
  )

const total = async (executor: Executor, program: Program, run: Run, groups?: number): Promise<number[]> => [
  ...(await runProgram(executor, program, run, groups)).sums.total,
]

async function refusalOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => new Error('nothing was refused'),
    (e) => e,
  )
  expect(error).toBeInstanceOf(LatheError)
  expect(error.message).not.toContain('\n')
  return error.message
}

describe.each([...references, ...candidates])('$name', ({ precision, make }) => {
  const executor = make()

  describe('a run', () => {
    it('gives every output by name, sequence after sequence', async () => {
      const { y, n } = await executor.compile(affine).run(affineRun(3))
      expect(y).toEqual(Float32Array.of(10, 22, 14, 26, 18, 30))
      expect(n).toEqual(Int32Array.of(0, -1, -2, -3, -4, -5, -6, -7, -8))
    })

    it('of no sequence gives empty outputs and no sums', async () => {
      const { outputs, sums } = await runProgram(executor, affine, affineRun(0))
      expect(outputs).toEqual({ y: new Float32Array(0), n: new Int32Array(0) })
      expect([...sums.total]).toEqual([0, 0])
    })

    it.each([1, 2, 3, 7, 8, 9, 20])('of %i sequences has the same sums for any number of groups', async (count) => {
      const n = 2 * count
      const odd = Array.from({ length: count }, (_, i) => 2 * i + 1).reduce((a, b) => a + b, 0)
      const wanted = [10 * count + count * (n - 2), 20 * count + 2 * odd]
      for (const groups of [1, 2, 3, 8, 13, undefined])
        expect(await total(executor, affine, affineRun(count), groups)).toEqual(wanted)
    })

    it('writes outputs to the arrays that it is given', async () => {
      const [y, n] = [new Float32Array(4).fill(7), new Int32Array(6)]
      const outputs = await executor.compile(affine).run({ ...affineRun(2), outputs: { y, n } })
      expect(outputs.y).toBe(y)
      expect(outputs.n).toBe(n)
      expect([...y]).toEqual([10, 22, 14, 26])
    })

    it('writes to some given arrays, and makes the others', async () => {
      const n = new Int32Array(6)
      const outputs = await executor.compile(affine).run({ ...affineRun(2), outputs: { n } })
      expect(outputs.n).toBe(n)
      expect([...outputs.y]).toEqual([10, 22, 14, 26])
    })

    it('takes views into larger arrays', async () => {
      const run = affineRun(2)
      const view = (a: Numbers) => {
        const large = a instanceof Float32Array ? new Float32Array(a.length + 3) : new Int32Array(a.length + 3)
        large.set(a, 1)
        return large.subarray(1, 1 + a.length)
      }
      const mapped = (arrays: Run['inputs']) =>
        Object.fromEntries(Object.entries(arrays!).map(([k, a]) => [k, view(a)]))
      const y = view(new Float32Array(4))
      await executor
        .compile(affine)
        .run({ ...run, parameters: mapped(run.parameters), inputs: mapped(run.inputs), outputs: { y } })
      expect([...y]).toEqual([10, 22, 14, 26])
      expect([...new Float32Array(y.buffer)].filter((_, i) => i === 0 || i > 4)).toEqual([0, 0, 0])
    })

    it('may write an output over its input', async () => {
      const update = compileForward(
        trace('update', () => {
          const [value, momentum] = [input('value', [5]), input('momentum', [5])]
          const next = add(mul(momentum, 0.5), input('gradient', [5]))
          output('value', add(value, next))
          output('momentum', next)
        }),
      ).main
      const executable = executor.compile(update, { groups: 1 })
      const value = Float32Array.of(1, 2, 3, 4, 5)
      const momentum = Float32Array.of(0, 2, 4, 6, 8)
      const inputs = { value, momentum, gradient: Float32Array.of(1, 1, 1, 1, 1) }
      for (let i = 0; i < 2; i++) await executable.run({ count: 1, inputs, outputs: { value, momentum } })
      expect([...momentum]).toEqual([1.5, 2, 2.5, 3, 3.5])
      expect([...value]).toEqual([3.5, 6, 8.5, 11, 13.5])
    })

    it('leaves its inputs and parameters as they are', async () => {
      const run = block.run()
      const before = structuredClone(run)
      await runProgram(executor, block.program, run)
      expect(run).toEqual(before)
    })

    it('takes changed parameters under another version, or under none', async () => {
      const product = compileForward(
        trace('product', () => output('y', matmul(input('x', [3, 8]), parameter('m', [5, 8]), { transposeB: true }))),
      ).main
      const executable = executor.compile(product)
      const inputs = { x: new Float32Array(24).fill(1) }
      const y = async (m: number, version?: number) =>
        (await executable.run({ count: 1, inputs, parameters: { m: new Float32Array(40).fill(m) }, version })).y[0]
      expect([await y(1, 1), await y(2, 2), await y(3), await y(4), await y(5, 3), await y(6, 2)]).toEqual([
        8, 16, 24, 32, 40, 48,
      ])
    })

    it('keeps one executable apart from another of the same Program', async () => {
      const [one, other] = [executor.compile(affine), executor.compile(affine)]
      await one.run(affineRun(2))
      const sums = emptySums(affine)
      await other.reduce(sums)
      expect([...sums.total]).toEqual([0, 0])
    })
  })

  describe('reduce', () => {
    it('gathers runs until it is called, and clears', async () => {
      const executable = executor.compile(affine)
      const reduced = async (into: Sums = emptySums(affine)) => {
        await executable.reduce(into)
        return [...into.total]
      }
      for (let i = 0; i < 2; i++) await executable.run(affineRun(2))
      expect(await reduced({ total: Float32Array.of(1000, 2000) })).toEqual([48, 96])
      expect(await reduced({ total: Float32Array.of(1000, 2000) })).toEqual([0, 0])
      await executable.run(affineRun(1))
      expect(await reduced()).toEqual([10, 22])
    })

    it('adds to arrays whose squares it is given, and says the new ones', async () => {
      const executable = executor.compile(affine)
      const [total, squares] = [Float32Array.of(1000, 2000), new Map([['other', 5]])]
      await executable.run(affineRun(1))
      await executable.reduce({ total }, squares)
      expect([[...total], squares.get('total')]).toEqual([[10, 22], 10 ** 2 + 22 ** 2])
      await executable.run(affineRun(2))
      await executable.reduce({ total }, squares)
      expect([[...total], squares.get('total')]).toEqual([[34, 70], 34 ** 2 + 70 ** 2])
      await executable.reduce({ total }, squares)
      expect([...total]).toEqual([34, 70])
      expect([...squares]).toEqual([
        ['other', 5],
        ['total', 34 ** 2 + 70 ** 2],
      ])
    })

    it('takes squares in double precision, and keeps what is not finite', async () => {
      const executable = executor.compile(
        compileForward(trace('sums', () => accumulate('total', mul(input('x', [3]), 1)))).main,
      )
      const squareOf = async (...x: number[]) => {
        const squares = new Map<string, number>()
        await executable.run({ count: 1, inputs: { x: Float32Array.from(x) } })
        await executable.reduce({ total: new Float32Array(3) }, squares)
        return squares.get('total')
      }
      expect(await squareOf(2 ** 100, 1, 0)).toBe(2 ** 200)
      expect(await squareOf(2, 3, 6)).toBe(49)
      expect(await squareOf(0, Number.NaN, 0)).toBeNaN()
      expect(await squareOf(0, Number.NEGATIVE_INFINITY, 0)).toBe(Number.POSITIVE_INFINITY)
    })

    it('drops a sum that nobody asks for', async () => {
      const executable = executor.compile(affine)
      await executable.run(affineRun(2))
      await executable.reduce({})
      const sums = emptySums(affine)
      await executable.reduce(sums)
      expect([...sums.total]).toEqual([0, 0])
    })

    it('refuses a sum that is not there, and an array of another size', async () => {
      const executable = executor.compile(affine)
      await executable.run(affineRun(1))
      expect(await refusalOf(executable.reduce({ grad: new Float32Array(2) }))).toBe(
        'affine has no sum grad; it has total',
      )
      expect(await refusalOf(executable.reduce({ total: new Float32Array(3) }))).toBe(
        'affine: the sum total is f32[2], the array given has 3',
      )
      const sums = emptySums(affine)
      await executable.reduce(sums)
      expect([...sums.total]).toEqual([10, 22])
    })
  })

  describe('refuses', () => {
    const run = affineRun(2)
    it.each<[string, Run, string]>([
      ['a missing input', { ...run, inputs: { x: run.inputs!.x } }, 'input ids must be 2 × i32[3], got nothing'],
      ['a missing parameter', { ...run, parameters: undefined }, 'parameter w must be 1 × f32[2], got nothing'],
      [
        'too short an input',
        { ...run, inputs: { ...run.inputs, x: new Float32Array(2) } },
        'input x must be 2 × f32[2], got Float32Array of 2',
      ],
      [
        'integers for numbers',
        { ...run, inputs: { ...run.inputs, x: new Int32Array(4) } },
        'input x must be 2 × f32[2], got Int32Array of 4',
      ],
      [
        'an output of another size',
        { ...run, outputs: { y: new Float32Array(2) } },
        'output y must be 2 × f32[2], got Float32Array of 2',
      ],
      ['half a sequence', { ...run, count: 1.5 }, 'a run of 1.5 sequences'],
      ['less than no sequence', { ...run, count: -1 }, 'a run of -1 sequences'],
    ])('%s', async (_, wrong, message) => {
      const executable = executor.compile(affine)
      expect(await refusalOf((async () => executable.run(wrong))())).toBe(`affine: ${message}`)
      expect([...(await executable.run(run)).y]).toEqual([10, 22, 14, 26])
    })

    it('a state of another size', async () => {
      const program = compileForward(
        trace('kv', () => {
          const at = input('at', [], 'i32')
          output('view', append(state('s', [1, 4, 2]), at, input('row', [1, 2]), at))
        }),
      ).main
      const inputs = { at: Int32Array.of(0), row: Float32Array.of(1, 2) }
      const wrong = executor.compile(program).run({ count: 1, inputs, states: { s: new Float32Array(4) } })
      expect(await refusalOf(wrong)).toBe('kv: state s must be 1 × f32[1, 4, 2], got Float32Array of 4')
    })
  })

  describe('runAll', () => {
    it('gives the results in the order of its jobs', async () => {
      const programs = [1, 2, 3].map(
        (n) => compileForward(trace(`times ${n}`, () => output('y', mul(input('x', [n]), n)))).main,
      )
      const jobs = Array.from({ length: 30 }, (_, i) => {
        const n = 1 + (i % 3)
        return {
          executable: executor.compile(programs[n - 1]),
          run: { count: 1, inputs: { x: new Float32Array(n).fill(i) } },
        }
      })
      const results = await executor.runAll(jobs)
      expect(results.map(({ y }) => [...y])).toEqual(jobs.map((_, i) => Array(1 + (i % 3)).fill(i * (1 + (i % 3)))))
    })

    it('leaves each job its sums', async () => {
      const [one, other] = [executor.compile(affine), executor.compile(affine)]
      await executor.runAll([
        { executable: one, run: affineRun(1) },
        { executable: other, run: affineRun(2) },
      ])
      const sums = [emptySums(affine), emptySums(affine)]
      await one.reduce(sums[0])
      await other.reduce(sums[1])
      expect(sums.map((s) => [...s.total])).toEqual([
        [10, 22],
        [24, 48],
      ])
    })

    it('does nothing for no job, and refuses as run does', async () => {
      expect(await executor.runAll([])).toEqual([])
      const jobs = [{ executable: executor.compile(affine), run: { count: 1, parameters: { w } } }]
      expect(await refusalOf(executor.runAll(jobs))).toBe('affine: input x must be 1 × f32[2], got nothing')
    })
  })

  describe('the same run', () => {
    it('gives the same bits again, for any number of threads', async () => {
      const results = async (other: Executor) => {
        const { outputs, sums } = await runProgram(other, block.program, block.run())
        return bits({ ...outputs, ...sums })
      }
      const once = await results(executor)
      expect(await results(executor)).toEqual(once)
      for (const threads of [1, 2, 3]) expect(await results(make({ threads }))).toEqual(once)
    })

    it('gives the same outputs, bit for bit, whatever the batch around it', async () => {
      const executable = executor.compile(block.program)
      const run = block.run()
      const { x } = await executable.run(run)
      const one = (name: string, size: number, at: number) => run.inputs![name].slice(at * size, (at + 1) * size)
      for (const at of [0, 4, 10]) {
        const inputs = { ids: one('ids', 9, at), weights: one('weights', 108, at) }
        const alone = await executable.run({ ...run, count: 1, inputs })
        expect(bits({ x: alone.x })).toEqual(bits({ x: x.slice(at * 108, (at + 1) * 108) }))
      }
    })

    it('sums in group order: groups decide about the last bits, no more', async () => {
      const few = (await runProgram(executor, block.program, block.run(), 2)).sums
      const many = (await runProgram(executor, block.program, block.run(), 8)).sums
      for (const name of Object.keys(few)) expect(relativeError(few[name], many[name]), name).toBeLessThan(1e-5)
    })
  })

  describe('decoding with a cache', () => {
    const [length, d, loops] = [9, 8, 2]
    const samples = { w: f32([d, d], scaled(0.4)), x: f32([length, d]) }

    /** A looped block over T rows; with a cache, of the rows from `start` on, each loop with a slot of its own. */
    const looped = (T: number, cached: boolean): Program =>
      compileForward(
        trace('looped', () => {
          const start = cached ? input('start', [], 'i32') : undefined
          const { carry } = repeat({ count: loops, carry: { x: input('x', [T, d]) } }, ({ x }, { index }) => {
            const keys = matmul(x, parameter('w', [d, d]))
            const kept = (name: string, rows: Tensor) =>
              start ? append(state(name, [loops, length + 2, d]), index, rows, start) : rows
            const read = attention(x, kept('k', keys), kept('v', x), { nHeads: 2, ropeBase: 100, start })
            return { carry: { x: add(x, read) } }
          })
          output('x', carry.x)
        }),
      ).main

    it.each([1, 2, 4])('%i rows at a time is the same as all at once', async (T) => {
      const whole = programCase('decode', looped(length, false), samples, 2)
      const run = whole.run()
      const { x: wanted } = await executor.compile(whole.program).run(run)
      const executable = executor.compile(looped(T, true))
      const size = 2 * loops * (length + 2) * d
      const states = { k: new Float32Array(size), v: new Float32Array(size) }
      for (let at = 0; at + T <= length; at += T) {
        const rows = (a: Numbers) =>
          Float32Array.from([0, 1].flatMap((s) => [...a.subarray((s * length + at) * d, (s * length + at + T) * d)]))
        const inputs = { start: Int32Array.of(at, at), x: rows(run.inputs!.x) }
        const { x } = await executable.run({ count: 2, parameters: run.parameters, inputs, states })
        expect(relativeError(x, rows(wanted))).toBeLessThan(precision === 'f32' ? 1e-6 : 5e-3)
      }
    })
  })

  it('prints a schedule', () => {
    const { schedule } = executor.compile(block.program, { groups: 5 })
    expect(schedule).toMatchObject({ executor: executor.name, groups: 5 })
    expect(schedule.arenaBytes).toBeGreaterThanOrEqual(0)
    expect(schedule.print()).toContain('block')
  })
})
