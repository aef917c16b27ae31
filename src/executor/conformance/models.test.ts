import { describe, expect, it } from 'vitest'
import type { TrainingPrograms } from '../../compile/index.ts'
import { type ModelConfig, type ModelSettings, modelConfig } from '../../model/config.ts'
import { parameterShapes } from '../../model/parameters.ts'
import { evaluationPrograms, logitsPrograms, trainingPrograms } from '../../model/programs.ts'
import type { Executor, Numbers, Precision } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'
import { below, deviation, drawAll, f32, i32, masked, type Sample } from './data.ts'
import { candidates } from './executors.ts'
import { dataOf, runStep } from './step.ts'

// Of the short ones seven are worked off side by side, and then the one that is left.
const [count, groups] = [8, 1]

/** Every value of every setting, at sizes that divide nothing. */
const models: [name: string, length: number, settings: Partial<ModelSettings>][] = [
  ['a looped layer', 17, { plan: '1x3' }],
  ['two layers, three loops, an end on either side', 9, { plan: '1,2x3,1' }],
  ['two loops', 12, { plan: '2x2,1x3' }],
  ['no loop', 33, { plan: '2', dModel: 32, nHeads: 4, vocabulary: 64 }],
  ['one token', 1, { plan: '1x2' }],
  ['LayerNorm and biases', 9, { plan: '2x2', norm: 'layer', bias: true }],
  ['LayerNorm', 9, { plan: '1x2', norm: 'layer', activation: 'relu' }],
  ['no norm', 9, { plan: '1x2', norm: 'none', finalNorm: false, initStd: 0.05 }],
  ['no final norm', 9, { plan: '1x2', finalNorm: false }],
  ['ReLU', 9, { plan: '1x2', activation: 'relu' }],
  ['SwiGLU', 9, { plan: '2x2', activation: 'swiglu', bias: true }],
  ['learned positions', 9, { plan: '1x3', positions: 'learned' }],
  ['no positions', 9, { plan: '1x3', positions: 'none' }],
  ['a tied head', 9, { plan: '1x2', tiedHead: true }],
  ['bidirectional attention', 9, { plan: '1x2', attention: 'bidirectional' }],
  ['an attention scale', 9, { plan: '1x2', attentionScale: 0.05 }],
  ['narrow heads', 9, { plan: '1x2', dHead: 1, dHeadValue: 3 }],
  ['wide heads', 9, { plan: '1x2', dHead: 64, dHeadValue: 128 }],
  ['a narrow model', 5, { plan: '1x2', dModel: 3, nHeads: 1, dFf: 1, vocabulary: 2 }],
  ['a large vocabulary', 3, { plan: '1x2', dModel: 8, vocabulary: 5000 }],
]

interface Steps {
  readonly config: ModelConfig
  readonly samples: Record<string, Sample>
  readonly programs: Record<string, TrainingPrograms>
}

function stepsOf(length: number, settings: Partial<ModelSettings>): Steps {
  const config = modelConfig({ plan: '1', dModel: 12, nHeads: 2, vocabulary: 11, maxLength: 64, ...settings })
  const { vocabulary } = config
  return {
    config,
    samples: {
      tokens: i32([count, length], below(vocabulary)),
      targets: i32([count, length], masked(vocabulary)),
      lossWeights: f32([count, length], (s) => s.uniform() / length),
      segments: i32([count, length], below(2)),
    },
    programs: {
      training: trainingPrograms(config, length),
      evaluation: evaluationPrograms(config, length),
      logits: logitsPrograms(config, length),
    },
  }
}

/** Everything that the Programs of a model give, by name. */
async function results(executor: Executor, { config, samples, programs }: Steps): Promise<Record<string, Numbers>> {
  const weight = (shape: readonly number[]) =>
    f32(shape, (s) => (shape.length === 1 ? 1 + 0.2 * s.normal() : s.normal() / Math.sqrt(shape[1])))
  const shapes = Object.entries(parameterShapes(config))
  const parameters = dataOf(drawAll(Object.fromEntries(shapes.map(([name, shape]) => [name, weight(shape)])), 'models'))
  const inputs = dataOf(drawAll(samples, 'models'))
  const all: Record<string, Numbers> = {}
  for (const [name, step] of Object.entries(programs)) {
    const { outputs, sums } = await runStep(executor, step, { count, parameters, inputs }, groups)
    for (const [what, values] of Object.entries({ ...outputs, ...sums })) all[`${name}: ${what}`] = values
  }
  return all
}

// In bf16 an operand that rounds the other way is off by 2^-8, and the loops carry that on.
const tolerance: Record<Precision, number> = { f32: 1e-5, bf16: 1.5e-2 }

describe.each(models)('a model with %s', (_, length, settings) => {
  const steps = stepsOf(length, settings)
  const wanted = {
    f32: results(referenceExecutor(), steps),
    bf16: results(referenceExecutor({ precision: 'bf16' }), steps),
  }

  it('learns every parameter', async () => {
    const names = Object.keys(parameterShapes(steps.config)).map((name) => `training: grad:${name}`)
    expect(Object.keys(await wanted.f32)).toEqual(expect.arrayContaining(names))
    for (const [name, values] of Object.entries(await wanted.f32))
      expect([...values].every(Number.isFinite), name).toBe(true)
  })

  it.each(candidates)('is the same on $name', async ({ precision, make }) => {
    const got = await results(make(), steps)
    const expected = await wanted[precision]
    const off = Object.keys(expected).filter((name) => !(deviation(got[name], expected[name]) <= tolerance[precision]))
    expect(off.map((name) => `${name} by ${deviation(got[name], expected[name])}`)).toEqual([])
  })
})
