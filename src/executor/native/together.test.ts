import { describe, expect, it } from 'vitest'
import { compileTraining, type Program } from '../../compile/index.ts'
import { input, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { modelConfig } from '../../model/config.ts'
import { initialParameters } from '../../model/parameters.ts'
import { evaluationPrograms, trainingPrograms } from '../../model/programs.ts'
import { matmul, repeat, sum, unary } from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import { runProgram } from '../conformance/step.ts'
import type { Arrays } from '../executor.ts'
import { nativeExecutor, nativeIsBuilt, nativeVariants } from './index.ts'

const config = modelConfig({ plan: '1x3', dModel: 24, nHeads: 2, vocabulary: 11, maxLength: 128 })
const { values: parameters } = initialParameters(config, 0)

/** Inputs of so many sequences, by name, for a Program of sequences of T tokens. */
function batch({ inputs }: Program, count: number, T: number): Record<string, Int32Array | Float32Array> {
  const random = new RandomStream(0, 'together')
  const tokens = () => Int32Array.from({ length: count * T }, () => random.integer(config.vocabulary))
  const all: Record<string, Int32Array | Float32Array> = {
    tokens: tokens(),
    targets: tokens(),
    segments: new Int32Array(count * T),
    lossWeights: new Float32Array(count * T).fill(1 / T),
  }
  return Object.fromEntries(inputs.map(({ name }) => [name, all[name]!]))
}

describe.runIf(nativeIsBuilt())('sequences side by side', () => {
  const executor = (threads = 1) => nativeExecutor({ precision: 'f32', threads })
  const printed = (T: number) => executor().compile(trainingPrograms(config, T).main).schedule.print()

  it.each([
    [128, 1],
    [33, 1],
    [32, 2],
    [16, 4],
    [1, 64],
  ])('of length %i are %i', (T, together) => {
    expect(printed(T)).toContain(` ${together} side by side,`)
  })

  it('share every product with weights, and every sum of gradients of weights; attention is for each', () => {
    const calls = printed(16)
      .split('\n')
      .map((line) => line.trim())
    const ofKernel = (name: string) => calls.filter((line) => new RegExp(`^(each: )?${name} `).test(line))
    expect(ofKernel('matmul').length).toBe(18)
    for (const name of [
      'matmul',
      'norm',
      'normGrad',
      'linearCrossEntropy',
      'linearCrossEntropyGrad',
      'embed',
      'embedGrad',
    ])
      expect(
        ofKernel(name).filter((line) => line.startsWith('each')),
        name,
      ).toEqual([])
    for (const name of ['attention', 'attentionGrad']) expect(ofKernel(name)[0]).toMatch(/^each: /)
  })

  it('are one where sequences leave a loop at different times, and where no product is with weights', () => {
    const compiled = (build: () => Tensor) => {
      let loss!: Tensor
      const graph = trace('t', () => {
        loss = sum(build())
      })
      return executor().compile(compileTraining(graph, loss).main).schedule.print()
    }
    const looped = (runs?: () => Tensor) => () => {
      const w = parameter('w', [4, 4])
      const carry = { x: input('x', [3, 4]) }
      return repeat({ count: 3, carry, runs: runs?.() }, ({ x }) => ({ carry: { x: unary('tanh', matmul(x, w)) } }))
        .carry.x
    }
    expect(compiled(looped())).toContain(' 21 side by side')
    expect(compiled(looped(() => input('runs', [], 'i32')))).toContain(' 1 side by side')
    expect(compiled(() => matmul(parameter('w', [4, 4]), input('x', [4, 4])))).toContain(' 1 side by side')
  })

  it.each(nativeVariants())('give the bits of each alone, on any number of threads, on %s', async (isa) => {
    const [count, T] = [23, 8]
    const { main } = evaluationPrograms(config, T)
    const inputs = batch(main, count, T)
    for (const precision of ['f32', 'bf16'] as const) {
      const outputsOf = (threads: number, count: number, inputs: Arrays) =>
        nativeExecutor({ isa, precision, threads }).compile(main).run({ count, parameters, inputs })
      const alone = Array.from({ length: count }, (_, i) => {
        const own = Object.entries(inputs).map(([name, values]) => [name, values.slice(i * T, (i + 1) * T)])
        return outputsOf(1, 1, Object.fromEntries(own))
      })
      const wanted = await Promise.all(alone)
      for (const threads of [1, 2, 3]) {
        const got = await outputsOf(threads, count, inputs)
        for (const [name, values] of Object.entries(got))
          expect([...values], `${name} on ${threads} threads`).toEqual(wanted.flatMap((one) => [...one[name]!]))
      }
    }
  })

  it('add up to the same bits on any number of threads', async () => {
    const [count, T] = [23, 8]
    const { main } = trainingPrograms(config, T)
    const inputs = batch(main, count, T)
    const sumsOf = async (threads: number) =>
      (await runProgram(executor(threads), main, { count, parameters, inputs }, 3)).sums
    const wanted = await sumsOf(1)
    for (const [name, values] of Object.entries(wanted))
      expect(
        values.some((x) => x !== 0),
        name,
      ).toBe(true)
    for (const threads of [2, 3, 5]) expect(await sumsOf(threads)).toEqual(wanted)
  })
})
