import { describe, expect, it } from 'vitest'
import { drawAll, f32, relativeError, type Sample, scaled } from '../executor/conformance/data.ts'
import { gradientErrors } from '../executor/conformance/finite-differences.ts'
import { dataOf, emptySums, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { accumulate, input, output, parameter, type Tensor, trace } from '../graph/graph.ts'
import { add, attention, matmul, mul, norm, repeat, stopGradient, sum, takeRow, unary } from '../ops/index.ts'
import { compileForward, compileTraining, type TrainingPrograms } from './index.ts'

/**
 * T positions read S memory rows in every loop: the keys are normed weights, work on parameters alone inside a body.
 * `memory` and `values` are also read elsewhere, so that gradients come by both ways.
 */
function reader(t: Record<string, Tensor>): Tensor {
  const { x, query, memory, gain, values } = t
  const { carry } = repeat({ count: 3, carry: { x } }, ({ x }) => {
    const keys = norm('rms', memory, gain)
    const read = attention(matmul(x, query), keys, matmul(values, query), { nHeads: 2, causal: false })
    return { carry: { x: add(x, read) } }
  })
  return add(carry.x, mul(takeRow(memory, t.row), sum(values)))
}

const weights: Record<string, Sample> = {
  query: f32([4, 4], scaled(0.5)),
  memory: f32([5, 4]),
  gain: f32([4]),
  values: f32([5, 4]),
}

function readerPrograms(): TrainingPrograms {
  let loss!: Tensor
  const graph = trace('reader', () => {
    const tensors = Object.fromEntries(
      Object.entries(weights).map(([name, { shape }]) => [name, parameter(name, shape)]),
    )
    const y = reader({ ...tensors, x: input('x', [3, 4]), row: input('row', [], 'i32') })
    output('y', y)
    loss = sum(mul(y, input('weights', [3, 4])))
  })
  return compileTraining(graph, loss)
}

const parameters = dataOf(drawAll(weights, 'training'))
const batch = (count: number) => ({
  count,
  parameters,
  inputs: {
    ...dataOf(drawAll({ x: f32([count, 3, 4]), weights: f32([count, 3, 4]) }, 'training')),
    row: Int32Array.from({ length: count }, (_, i) => i % 5),
  },
})
const gradientArrays = () =>
  Object.fromEntries(Object.entries(parameters).map(([name, { length }]) => [`grad:${name}`, new Float32Array(length)]))

describe('work on parameters alone', () => {
  it('is derived before the sequences and pulled back after them', () => {
    const { main, derive, pullback } = readerPrograms()
    const derived = main.parameters.map((p) => p.name).filter((name) => name.startsWith('derived:'))
    expect(derived).toHaveLength(3) // normed keys, values · query, the sum of values
    expect(derive!.outputs.map((o) => o.name).sort()).toEqual([...derived].sort())
    expect(derive!.instructions.map((i) => i.op).sort()).toEqual(['matmul', 'norm', 'sumTo'])
    expect(derive!.inputs).toEqual([])
    expect(pullback!.inputs.map((i) => i.name).sort()).toEqual(derived.map((name) => `grad:${name}`).sort())
    expect(pullback!.sums.map((s) => s.name).sort()).toEqual(
      Object.keys(weights)
        .map((name) => `grad:${name}`)
        .sort(),
    )
    const sums = main.sums.map((s) => s.name)
    expect(sums).toContain('grad:memory') // takeRow stands in the sequence
    expect(sums).not.toContain('grad:gain')
  })

  it('has the gradients that finite differences find', async () => {
    const samples = { x: f32([3, 4]), row: { ...f32([], [2]), dtype: 'i32' as const }, ...weights }
    const errors = await gradientErrors(samples, reader, { step: 2 ** -8 })
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-3)
  })

  it('is the same through StepRunner as where nothing is derived', async () => {
    let loss!: Tensor
    const graph = trace('plain', () => {
      const one = input('one', [])
      const tensors = Object.entries(weights).map(([name, { shape }]) => [name, mul(parameter(name, shape), one)])
      const y = reader({ ...Object.fromEntries(tensors), x: input('x', [3, 4]), row: input('row', [], 'i32') })
      loss = sum(mul(y, input('weights', [3, 4])))
    })
    const plain = compileTraining(graph, loss)
    expect(plain.derive).toBeUndefined()
    const run = batch(4)
    const one = new Float32Array(4).fill(1)
    const { sums } = await runProgram(referenceExecutor(), plain.main, { ...run, inputs: { ...run.inputs, one } })

    const runner = new StepRunner(referenceExecutor(), readerPrograms())
    await runner.run({ ...run, version: 0 })
    const gradients = gradientArrays()
    await runner.reduce(gradients, parameters)
    for (const [name, gradient] of Object.entries(gradients))
      expect(relativeError(gradient, sums[name]), name).toBeLessThan(1e-6)
  })
})

describe('StepRunner', () => {
  it('gathers runs until reduce, and starts afresh after it', async () => {
    const runner = new StepRunner(referenceExecutor(), readerPrograms())
    const run = { ...batch(3), version: 0 }
    const [once, thrice, again] = [gradientArrays(), gradientArrays(), gradientArrays()]
    await runner.run(run)
    await runner.reduce(once, parameters)
    for (let i = 0; i < 3; i++) await runner.run(run)
    await runner.reduce(thrice, parameters)
    await runner.run(run)
    await runner.reduce(again, parameters)
    for (const name of Object.keys(once)) {
      expect(again[name], name).toEqual(once[name])
      expect(
        relativeError(
          thrice[name],
          once[name].map((g) => 3 * g),
        ),
        name,
      ).toBeLessThan(1e-6)
    }
  })

  it('adds where squares are known, and writes over what else the arrays hold', async () => {
    const runner = new StepRunner(referenceExecutor(), readerPrograms())
    const [once, twice, squares] = [gradientArrays(), gradientArrays(), new Map<string, number>()]
    for (const array of [...Object.values(once), ...Object.values(twice)]) array.fill(1000)
    for (const into of [once, twice, twice]) {
      await runner.run({ ...batch(2), version: 0 })
      await runner.reduce(into, parameters, into === once ? undefined : squares)
    }
    for (const [name, gradient] of Object.entries(once)) {
      const doubled = gradient.map((g) => 2 * g)
      expect(relativeError(twice[name], doubled), name).toBeLessThan(1e-7)
      expect(squares.get(name), name).toBeCloseTo(twice[name].reduce((sum, g) => sum + g * g, 0))
    }
  })

  it('derives anew when the version changes', async () => {
    const runner = new StepRunner(referenceExecutor(), readerPrograms())
    const fresh = () => new StepRunner(referenceExecutor(), readerPrograms())
    const changed = { ...parameters, memory: parameters.memory.map((x) => x + 1) }
    const before = await runner.run({ ...batch(2), version: 1 })
    const after = await runner.run({ ...batch(2), parameters: changed, version: 2 })
    expect(after.y).not.toEqual(before.y)
    expect(after.y).toEqual((await fresh().run({ ...batch(2), parameters: changed, version: 1 })).y)
  })
})

describe('compileTraining', () => {
  it('has one Program where nothing is derived', () => {
    let loss!: Tensor
    const graph = trace('t', () => {
      loss = sum(mul(parameter('w', [2]), input('x', [2])))
    })
    expect(Object.keys(compileTraining(graph, loss))).toEqual(['main'])
  })

  it('pulls nothing back where gradients are stopped', () => {
    let loss!: Tensor
    const graph = trace('t', () => {
      const w = parameter('w', [2])
      loss = sum(mul(unary('exp', stopGradient(unary('square', w))), mul(w, input('x', [2]))))
    })
    const { main, derive, pullback } = compileTraining(graph, loss)
    expect(derive!.instructions.map((i) => i.op)).toEqual(['square', 'stopGradient', 'exp'])
    expect(main.sums.map((s) => s.name)).toContain('grad:w')
    expect(emptySums(pullback!)).toEqual({})
  })

  it('pulls back through a chain, a value used twice, and an op with several outputs', async () => {
    const chain = ({ w, g, x }: Record<string, Tensor>) => {
      const normed = norm('layer', matmul(w, w), g)
      const mixed = attention(normed, unary('tanh', w), normed, { nHeads: 1, causal: false })
      return mul(add(mixed, normed), x)
    }
    const errors = await gradientErrors({ w: f32([3, 3]), g: f32([3]), x: f32([3, 3]) }, chain, { step: 2 ** -9 })
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-3)
  })
})

describe('compileForward', () => {
  it('derives, and pulls nothing back', async () => {
    const graph = trace('t', () => {
      const keys = unary('square', parameter('w', [2]))
      output('keys', keys)
      output('y', mul(keys, input('x', [2])))
      accumulate('total', keys)
    })
    const programs = compileForward(graph)
    expect(Object.keys(programs).sort()).toEqual(['derive', 'main'])
    const runner = new StepRunner(referenceExecutor(), programs)
    const run = {
      count: 2,
      parameters: { w: Float32Array.of(2, 3) },
      inputs: { x: Float32Array.of(1, 2, 3, 4) },
      version: 0,
    }
    const { keys, y } = await runner.run(run)
    expect([...keys]).toEqual([4, 9, 4, 9])
    expect([...y]).toEqual([4, 18, 12, 36])
    const total = new Float32Array(2)
    await runner.reduce({ total }, run.parameters)
    expect([...total]).toEqual([8, 18])
  })
})
