import { describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/reference/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters } from '../model/parameters.ts'
import { logitsPrograms } from '../model/programs.ts'
import { asPlanned, LoopPlan, loopedAt } from '../plan/index.ts'
import { createTask, type Sample } from '../task/index.ts'
import { drawSamples, evaluate, evaluateSamples, loopSweep } from './evaluate.ts'

const executor = referenceExecutor()
const task = createTask({ name: 'phop', n: 20, p: 1, loss: 'every' })

function modelOf(plan: string, settings: { positions?: 'learned'; attention?: 'bidirectional' } = {}): Model {
  const shape = { dModel: 16, nHeads: 2, dFf: 32, vocabulary: 4, maxLength: 20 }
  const config = modelConfig({ ...shape, ...settings, plan })
  return { config, parameters: initialParameters(config, 5) }
}

/** Accuracy and loss from the logits of each sample alone, unpadded. */
async function byHand({ config, parameters }: Model, samples: readonly Sample[]) {
  let [right, loss, weight] = [0, 0, 0]
  for (const { tokens, targets, weights } of samples) {
    const runner = new StepRunner(executor, logitsPrograms(config, tokens.length))
    const { logits } = await runner.run({ count: 1, parameters: parameters.values, inputs: { tokens }, version: 0 })
    const rows = Array.from(tokens, (_, t) => [...logits.subarray(4 * t, 4 * t + 4)])
    rows.forEach((row, t) => {
      if (weights[t] === 0) return
      weight += weights[t]
      loss += weights[t] * (Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[targets[t]])
    })
    const last = rows.at(-1)!
    if (last.indexOf(Math.max(...last)) === targets.at(-1)) right++
  }
  return { accuracy: right / samples.length, loss: loss / weight }
}

/** Samples of every length from 3 to 20, some with two targets weighted apart. */
async function raggedSamples(): Promise<Sample[]> {
  const drawn = await drawSamples(task, { samples: 30, seed: 1 })
  const cut = drawn.map((sample, i) => task.format(sample).input.slice(0, 3 + (i % 18)))
  const samples = cut
    .filter((input) => input.slice(0, -1).includes(input.at(-1)!))
    .map((input) => task.parse({ input }))
  return samples.map((sample, i) => ({ ...sample, weights: sample.weights.map((w) => w * (1 + (i % 3))) }))
}

describe('evaluate', () => {
  it.each([
    ['1x3', {}],
    ['1,1x2', { positions: 'learned' }],
    ['1', { attention: 'bidirectional' }],
  ] as const)('a %s model with %o scores padded sequences of all lengths as each alone', async (plan, settings) => {
    const model = modelOf(plan, settings)
    const samples = await raggedSamples()
    expect(new Set(samples.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(8)
    const [evaluation] = await evaluateSamples(model, task, executor, samples, [asPlanned(LoopPlan.parse(plan))])
    const expected = await byHand(model, samples)
    expect(evaluation.accuracy).toBe(expected.accuracy)
    expect(evaluation.loss).toBeCloseTo(expected.loss, 5)
    expect(evaluation.samples).toBe(samples.length)
    expect(evaluation.tokens).toBe(samples.reduce((total, { tokens }) => total + tokens.length, 0))
  })

  it('draws from the split that it is asked for, the same every time', async () => {
    const options = { samples: 70, seed: 2 }
    const drawn = await drawSamples(task, options)
    expect(drawn).toHaveLength(70)
    expect(drawn[69]).toEqual(task.sample({ seed: 2, split: 'validation', index: 69 }))
    const model = modelOf('1x2')
    const validation = await evaluate(model, task, executor, options)
    expect(validation).toEqual(await evaluate(model, task, executor, { ...options, split: 'validation' }))
    expect(validation.loss).not.toBe((await evaluate(model, task, executor, { ...options, split: 'test' })).loss)
    expect(validation).toMatchObject({ samples: 70, tokens: 1400, plan: '1x2', loops: 2 })
  })

  it('goes beyond one run of the executor', async () => {
    const model = modelOf('1')
    const samples = await drawSamples(task, { samples: 300, seed: 0 })
    const evaluated = async (part: Sample[]) =>
      (await evaluateSamples(model, task, executor, part, [asPlanned(LoopPlan.parse('1'))]))[0]
    const [all, head, tail] = [
      await evaluated(samples),
      await evaluated(samples.slice(0, 100)),
      await evaluated(samples.slice(100)),
    ]
    expect(all.accuracy).toBeCloseTo((head.accuracy + 2 * tail.accuracy) / 3, 12)
  })

  it('loops a model otherwise than it was trained', async () => {
    const options = { samples: 20, seed: 0 }
    const model = modelOf('1x2')
    const sweep = await loopSweep(model, task, executor, {
      ...options,
      loops: loopedAt(LoopPlan.parse('1x2'), [1, 2, 3]),
    })
    expect(sweep.map(({ plan, loops }) => `${loops}: ${plan}`)).toEqual(['1: 1', '2: 1x2', '3: 1x3'])
    for (const { plan, loss, accuracy } of sweep) {
      const config = { ...model.config, plan }
      expect(await evaluate({ ...model, config }, task, executor, options)).toMatchObject({ loss, accuracy })
    }
    expect(sweep[2].loss).not.toBe(sweep[1].loss)
  })

  it('refuses a model that is too small for the task', async () => {
    const { config, parameters } = modelOf('1')
    const small = { config: { ...config, vocabulary: 3 }, parameters }
    await expect(evaluate(small, task, executor, { samples: 1, seed: 0 })).rejects.toThrow(
      'task phop has 4 token ids and 20 tokens a sequence, but the model takes at most 3 and 20',
    )
  })
})
