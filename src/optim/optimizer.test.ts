import { describe, expect, it } from 'vitest'
import { nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { readSafetensors } from '../model/safetensors.ts'
import { toFloat32 } from '../model/stored-tensor.ts'
import { adafactor } from './adafactor.ts'
import { adamw } from './adamw.ts'
import { clipScale } from './clip.ts'
import { muon } from './muon.ts'
import { type Optimizer, OptimizerRunner } from './optimizer.ts'

const native = nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32', threads: 2 }))
const executors = [referenceExecutor(), ...native]
const shapes = { matrix: [5, 7], vector: [7] }
const golden = await readSafetensors(new URL('../model/goldens/optimizers.safetensors', import.meta.url).pathname)
const numbers = (name: string) => Float32Array.from(toFloat32(golden.tensors.get(name)!, name))
const goldenSettings = JSON.parse(golden.metadata.config)

/** Takes the five steps, and compares the parameters after each with the golden ones. */
async function expectGolden(runner: OptimizerRunner, name: string, kinds: string[]) {
  const parameters = Object.fromEntries(kinds.map((kind) => [kind, numbers(`initial.${kind}`)]))
  for (let step = 1; step <= 5; step++) {
    await runner.update({ ...stepOf(step), parameters })
    for (const [kind, values] of Object.entries(parameters)) {
      const wanted = part(numbers(`${name}.${kind}`), step, values.length)
      for (let i = 0; i < values.length; i++)
        expect(Math.abs(values[i] - wanted[i]), `${kind}[${i}] after step ${step}`).toBeLessThan(1e-6)
    }
  }
}

const part = (values: Float32Array, step: number, size: number) => values.slice((step - 1) * size, step * size)

/** The golden gradients and learning rate of one step. */
function stepOf(step: number) {
  const gradients = {
    matrix: part(numbers('gradients.matrix'), step, 35),
    vector: part(numbers('gradients.vector'), step, 7),
    tall: part(numbers('gradients.tall'), step, 21),
  }
  return { gradients, step, learningRate: goldenSettings.adamw.lr as number, scale: 1 }
}

const adamwOf = (weightDecay: number, options?: { decayVectors: boolean }) =>
  adamw({ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay }, options)
const muonOf = (weightDecay: number) =>
  muon({
    momentum: 0.95,
    weightDecay,
    others: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay, lrRatio: 0.25 },
  })
const plainAdafactor = (weightDecay = 0) => adafactor({ decay: 0.8, eps1: 1e-30, clipThreshold: 1, weightDecay })

describe.each(executors)('on $name $isa', (executor) => {
  it.each<[string, Optimizer]>([
    ['adamw', adamwOf(0)],
    ['adamwDecay', adamwOf(0.1, { decayVectors: true })],
    ['adafactor', plainAdafactor()],
  ])('%s goes the way of PyTorch for five steps', async (name, optimizer) => {
    await expectGolden(new OptimizerRunner(executor, optimizer, shapes), name, ['matrix', 'vector'])
  })

  it('muon goes the way of its formula for five steps, with matrices that are wide and tall', async () => {
    await expectGolden(new OptimizerRunner(executor, muonOf(0.1), { matrix: [5, 7], tall: [7, 3] }), 'muon', [
      'matrix',
      'tall',
    ])
  })

  it('muon leaves embeddings, head and vectors to AdamW, with its own learning rate', async () => {
    const names = { 'model.embed_tokens.weight': [5, 7], 'lm_head.weight': [5, 7], 'model.norm.weight': [7] }
    const named = (matrix: Float32Array, vector: Float32Array) => ({
      'model.embed_tokens.weight': matrix.slice(),
      'lm_head.weight': matrix.slice(),
      'model.norm.weight': vector.slice(),
    })
    const initial = () => named(numbers('initial.matrix'), numbers('initial.vector'))
    const { matrix, vector } = stepOf(1).gradients
    const [byMuon, byAdamW] = [initial(), initial()]
    const rest = { gradients: named(matrix, vector), step: 1, scale: 1 }
    await new OptimizerRunner(executor, muonOf(0), names).update({ ...rest, parameters: byMuon, learningRate: 0.02 })
    await new OptimizerRunner(executor, adamwOf(0), names).update({ ...rest, parameters: byAdamW, learningRate: 0.005 })
    expect(byMuon).toEqual(byAdamW)
  })

  it('updates every row of a large table, in pieces or not', async () => {
    const [rows, columns] = [1101, 1000]
    const values = (seed: number) => Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + i))
    const [initial, gradient, cut] = [values(1), values(2), 600 * columns]
    const trained = async (
      shapes: Record<string, number[]>,
      part: (a: Float32Array) => Record<string, Float32Array>,
    ) => {
      const [parameters, gradients] = [part(initial.slice()), part(gradient)]
      const runner = new OptimizerRunner(executor, adamwOf(0.1), shapes)
      for (const step of [1, 2]) await runner.update({ parameters, gradients, learningRate: 0.01, step, scale: 1 })
      return Object.values(parameters)
    }
    const [whole] = await trained({ table: [rows, columns] }, (table) => ({ table }))
    const [first, rest] = await trained({ first: [600, columns], rest: [rows - 600, columns] }, (table) => ({
      first: table.slice(0, cut),
      rest: table.slice(cut),
    }))
    expect(Buffer.compare(Buffer.from(whole.slice(0, cut).buffer), Buffer.from(first.buffer))).toBe(0)
    expect(Buffer.compare(Buffer.from(whole.slice(cut).buffer), Buffer.from(rest.buffer))).toBe(0)
  })

  const afterNoGradient = async (optimizer: Optimizer) => {
    const parameters = { matrix: numbers('initial.matrix'), vector: numbers('initial.vector') }
    const gradients = { matrix: new Float32Array(35), vector: new Float32Array(7) }
    const runner = new OptimizerRunner(executor, optimizer, shapes)
    await runner.update({ parameters, gradients, learningRate: 0.5, step: 1, scale: 1 })
    return parameters
  }

  it.each([adamwOf(0.1), plainAdafactor(0.1), muonOf(0.1)])(
    '$name lets matrices decay and vectors not',
    async (optimizer) => {
      const { matrix, vector } = await afterNoGradient(optimizer)
      expect(vector).toEqual(numbers('initial.vector'))
      const wanted = numbers('initial.matrix').map((x) => x * (1 - 0.5 * 0.1))
      expect(matrix.every((x, i) => Math.abs(x - wanted[i]) < 1e-6)).toBe(true)
    },
  )

  it('scales gradients before everything else', async () => {
    const run = async (factor: number, scale: number) => {
      const runner = new OptimizerRunner(executor, adamwOf(0), shapes)
      const parameters = { matrix: numbers('initial.matrix'), vector: numbers('initial.vector') }
      const { gradients, ...rest } = stepOf(1)
      const scaled = {
        matrix: gradients.matrix.map((x) => x * factor),
        vector: gradients.vector.map((x) => x * factor),
      }
      await runner.update({ ...rest, gradients: scaled, parameters, scale })
      return { parameters, states: [...runner.exportStates().values()].map(({ data }) => data) }
    }
    expect(await run(4, 0.25)).toEqual(await run(1, 1))
  })

  it.each([adamwOf(0.1), plainAdafactor(), muonOf(0.1)])(
    '$name goes on from exported states as if never stopped',
    async (optimizer) => {
      const fresh = () => ({ matrix: numbers('initial.matrix'), vector: numbers('initial.vector') })
      const [through, stopped] = [fresh(), fresh()]
      const first = new OptimizerRunner(executor, optimizer, shapes)
      for (let step = 1; step <= 5; step++) await first.update({ ...stepOf(step), parameters: through })
      const second = new OptimizerRunner(executor, optimizer, shapes)
      for (let step = 1; step <= 2; step++) await second.update({ ...stepOf(step), parameters: stopped })
      const third = new OptimizerRunner(executor, optimizer, shapes)
      third.importStates(structuredClone(second.exportStates()))
      for (let step = 3; step <= 5; step++) await third.update({ ...stepOf(step), parameters: stopped })
      expect(stopped).toEqual(through)
      expect(third.exportStates()).toEqual(first.exportStates())
    },
  )

  it.each([plainAdafactor(), muonOf(0)])(
    '$name survives a gradient of zeros from the first step',
    async (optimizer) => {
      expect((await afterNoGradient(optimizer)).matrix).toEqual(numbers('initial.matrix'))
    },
  )
})

describe('states', () => {
  const runner = (optimizer: Optimizer) => new OptimizerRunner(executors[0], optimizer, shapes)

  it('are named after the parameter, a matrix of Adafactor by its rows and columns', () => {
    const shapesOf = (optimizer: Optimizer) =>
      Object.fromEntries([...runner(optimizer).exportStates()].map(([name, { shape }]) => [name, shape.join()]))
    expect(shapesOf(plainAdafactor())).toEqual({ 'rows:matrix': '5,1', 'columns:matrix': '7', 'moment2:vector': '7' })
    expect(shapesOf(adamwOf(0))).toEqual({
      'moment1:matrix': '5,7',
      'moment2:matrix': '5,7',
      'moment1:vector': '7',
      'moment2:vector': '7',
    })
  })

  it('of another optimizer, another model or a part are refused', () => {
    const states = runner(adamwOf(0)).exportStates()
    const refusal = (change: (map: typeof states) => void) => {
      const copy = new Map(states)
      change(copy)
      return () => runner(adamwOf(0)).importStates(copy)
    }
    expect(refusal((map) => map.delete('moment1:vector'))).toThrow('the optimizer state moment1:vector is missing')
    expect(refusal((map) => map.set('moment1:vector', states.get('moment1:matrix')!))).toThrow(
      'the optimizer state moment1:vector is [5,7], but must be [7]',
    )
    expect(refusal((map) => map.set('moment3:vector', states.get('moment1:vector')!))).toThrow(
      "the optimizer state moment3:vector is none of adamw's",
    )
    expect(() => runner(plainAdafactor()).importStates(states)).toThrow('rows:matrix is missing')
  })
})

describe('clipScale', () => {
  it.each([
    [4, 1, 0.25],
    [0.5, 1, 1],
    [1, 1, 1],
    [0, 1, 1],
    [1e6, 0, 1],
  ])('of norm %d with clip %d is %d', (norm, clip, scale) => {
    expect(clipScale(norm, clip)).toBe(scale)
  })
})
