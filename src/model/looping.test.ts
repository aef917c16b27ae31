import { describe, expect, it } from 'vitest'
import { drawAll, f32, relativeError } from '../executor/conformance/data.ts'
import { dataOf, runStep } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { LoopPlan } from '../plan/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { type ModelConfig, type ModelSettings, modelConfig } from './config.ts'
import { parameterShapes } from './parameters.ts'
import { trainingPrograms } from './programs.ts'

const length = 9
const count = 3

const configOf = (plan: string, settings: Partial<ModelSettings> = {}) =>
  modelConfig({ plan, dModel: 12, nHeads: 2, vocabulary: 7, maxLength: 16, ...settings })

type Weights = Record<string, Float32Array>

function randomWeights(config: ModelConfig): Weights {
  const samples = Object.entries(parameterShapes(config)).map(([name, shape]) => [
    name,
    f32(shape, (s) => 0.4 * s.normal() + (shape.length === 1 ? 1 : 0)),
  ])
  return dataOf(drawAll(Object.fromEntries(samples), 'looping')) as Weights
}

function inputs() {
  const stream = new RandomStream(1, 'tokens')
  const ids = () => Int32Array.from({ length: count * length }, () => stream.integer(7))
  const lossWeights = Float32Array.from({ length: count * length }, () => stream.uniform())
  return { tokens: ids(), targets: ids(), lossWeights }
}

const step = (config: ModelConfig, parameters: Weights) =>
  runStep(referenceExecutor(), trainingPrograms(config, length), { count, parameters, inputs: inputs() })

const layerName = /^model\.layers\.(\d+)\./

/** For each weight of the untied model, the weight of the looped model that it copies. */
const tied = (plan: LoopPlan, name: string): string =>
  name.replace(layerName, (_, layer) => `model.layers.${plan.weightLayer(Number(layer))}.`)

describe.each([
  ['1x3', {}],
  ['2x2', {}],
  ['1,2x3,1', {}],
  ['2x2', { norm: 'layer', bias: true, positions: 'learned', tiedHead: true }],
  ['1,2x3,1', { activation: 'swiglu', attention: 'bidirectional', dHeadValue: 3, finalNorm: false }],
] as [string, Partial<ModelSettings>][])('the looped model %s %o', (text, settings) => {
  const plan = LoopPlan.parse(text)

  it('is the untied model of its depth with copied weights, whose gradients it sums', async () => {
    const [looped, untied] = [configOf(text, settings), configOf(`${plan.effectiveDepth}`, settings)]
    const weights = randomWeights(looped)
    const names = Object.keys(parameterShapes(untied))
    expect(new Set(names.map((name) => tied(plan, name)))).toEqual(new Set(Object.keys(weights)))
    const copies = Object.fromEntries(names.map((name) => [name, weights[tied(plan, name)]]))

    const [one, other] = [(await step(looped, weights)).sums, (await step(untied, copies)).sums]
    expect(relativeError(one.loss, other.loss)).toBeLessThan(1e-6)
    const summed: Weights = Object.fromEntries(Object.entries(weights).map(([n, w]) => [n, new Float32Array(w.length)]))
    for (const name of names) {
      const sum = summed[tied(plan, name)]
      other[`grad:${name}`].forEach((g, i) => {
        sum[i] += g
      })
    }
    for (const [name, sum] of Object.entries(summed))
      expect(relativeError(one[`grad:${name}`], sum), name).toBeLessThan(1e-6)
  })
})

describe('a model of one loop', () => {
  it.each(['1', '3'])('%sx1 is %s bit for bit', async (layers) => {
    const [once, plain] = [configOf(`${layers}x1`), configOf(layers)]
    expect(trainingPrograms(once, length)).toEqual(trainingPrograms(plain, length))
    const weights = randomWeights(plain)
    expect((await step(once, weights)).sums).toEqual((await step(plain, weights)).sums)
  })
})

describe('two segments of one loop each', () => {
  it('are one segment, bit for bit but for the taps', async () => {
    const [split, whole] = [configOf('1,2'), configOf('3')]
    const weights = randomWeights(whole)
    const [one, other] = [(await step(split, weights)).sums, (await step(whole, weights)).sums]
    for (const name of ['loss', ...Object.keys(weights).map((n) => `grad:${n}`)])
      expect(one[name], name).toEqual(other[name])
  })
})
