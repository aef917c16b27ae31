import { describe, expect, it } from 'vitest'
import { type Executor, nativeExecutor, nativeIsBuilt, referenceExecutor, StepRunner } from '../executor/index.ts'
import { type ModelSettings, modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters } from '../model/parameters.ts'
import { logitsPrograms } from '../model/programs.ts'
import { LoopPlan, loopedAt } from '../plan/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { type GenerateOptions, Generator, generate } from './generator.ts'
import { logProbability } from './sampling.ts'

const [vocabulary, maxLength] = [6, 20]
const reference = referenceExecutor()

function modelOf(settings: Partial<ModelSettings> = {}): Model {
  const config = modelConfig({ plan: '1x3', dModel: 12, nHeads: 2, vocabulary, maxLength, ...settings })
  return { config, parameters: initialParameters(config, 3) }
}

/** Prompts of these lengths. */
const promptsOf = (lengths: readonly number[]) =>
  lengths.map((length, i) => {
    const stream = new RandomStream(4, 'prompt', i)
    return Int32Array.from({ length }, () => stream.integer(vocabulary))
  })

const ragged = promptsOf([5, 1, 18, 9, 17, 2])

/** Greedy decoding without a cache: every step runs the whole sequence, alone. */
async function uncached({ config, parameters }: Model, executor: Executor, prompt: Int32Array, steps: number) {
  const tokens = [...prompt]
  let total = 0
  while (tokens.length < Math.min(prompt.length + steps, maxLength + 1)) {
    const runner = new StepRunner(executor, logitsPrograms(config, tokens.length))
    const inputs = { tokens: Int32Array.from(tokens) }
    const { logits } = await runner.run({ count: 1, parameters: parameters.values, inputs, version: 0 })
    const row = (logits as Float32Array).subarray(-vocabulary)
    const token = row.indexOf(Math.max(...row))
    total += logProbability(row, token)
    tokens.push(token)
  }
  return { tokens: Int32Array.from(tokens.slice(prompt.length)), logProbability: total }
}

describe.each([
  ['reference', () => reference, 5],
  ...(nativeIsBuilt()
    ? ([
        ['native in f32', () => nativeExecutor({ precision: 'f32', threads: 2 }), 5],
        ['native in bf16', () => nativeExecutor({ precision: 'bf16', threads: 2 }), 2],
      ] as const)
    : []),
] as const)('greedy generation on %s', (_, make, digits) => {
  const executor = make()
  it.each<Partial<ModelSettings>>([
    { plan: '2' },
    { plan: '1x4', positions: 'learned' },
    { plan: '2x2', positions: 'none' },
    { plan: '1,2x3,1' },
  ])('of ragged prompts in one batch is that of each alone without a cache: %o', async (settings) => {
    const model = modelOf(settings)
    const generated = await generate(model, executor, ragged, { maxTokens: 6 })
    expect(generated.map(({ tokens }) => tokens.length)).toEqual([6, 6, 3, 6, 4, 6])
    for (const [i, { tokens, logProbability, ended }] of generated.entries()) {
      const wanted = await uncached(model, executor, ragged[i], 6)
      expect(tokens).toEqual(wanted.tokens)
      expect(logProbability).toBeCloseTo(wanted.logProbability, digits)
      expect(ended).toBe('length')
    }
  })
})

describe('generate', () => {
  const model = modelOf()
  const run = (options: GenerateOptions, prompts = ragged) => generate(model, reference, prompts, options)

  it('loops the model otherwise than it was trained', async () => {
    for (const loops of loopedAt(LoopPlan.parse('1x3'), [1, 3, 5])) {
      const config = { ...model.config, plan: loops.plan.toString() }
      const [got] = await generate(model, reference, [ragged[0]], { loops, maxTokens: 5 })
      expect(got.tokens).toEqual((await uncached({ ...model, config }, reference, ragged[0], 5)).tokens)
    }
  })

  it('stops before the end token, and counts it into the probability', async () => {
    const free = await run({})
    const end = free[3].tokens[2]
    const told: [number, number][] = []
    const stopped = await run({ end, onToken: (sequence, token) => told.push([sequence, token]) })
    for (const [i, { tokens, ended, logProbability }] of stopped.entries()) {
      const at = free[i].tokens.indexOf(end)
      expect(ended).toBe(at < 0 ? 'length' : 'end')
      expect(tokens).toEqual(at < 0 ? free[i].tokens : free[i].tokens.slice(0, at))
      expect(told.filter(([sequence]) => sequence === i).map(([, token]) => token)).toEqual([...tokens])
      if (at >= 0) expect(logProbability).toBeCloseTo((await run({ maxTokens: at + 1 }))[i].logProbability, 6)
    }
    const lengths = stopped.filter(({ ended }) => ended === 'end').map(({ tokens }) => tokens.length)
    expect(new Set(lengths).size).toBeGreaterThan(1)
  })

  it('draws the same from the same seed, whatever the batch, and other things from another', async () => {
    const options = { temperature: 1, topK: 4, topP: 0.9, maxTokens: 8, seed: 5 }
    const all = await run(options)
    expect(await run(options)).toEqual(all)
    expect((await run(options, ragged.slice(0, 2))).map(({ tokens }) => tokens)).toEqual(
      all.slice(0, 2).map(({ tokens }) => tokens),
    )
    expect(await run({ ...options, seed: 6 })).not.toEqual(all)
    const twice = await run(options, [ragged[0], ragged[0]])
    expect(twice[0].tokens).not.toEqual(twice[1].tokens)
  })

  it('draws by the probabilities of the model', async () => {
    const prompts = Array.from({ length: 600 }, () => ragged[1]) // more than one batch
    const first = (await run({ temperature: 1, maxTokens: 1 }, prompts)).map(({ tokens }) => tokens[0])
    const logits = await new StepRunner(reference, logitsPrograms(model.config, 1)).run({
      count: 1,
      parameters: model.parameters.values,
      inputs: { tokens: ragged[1] },
      version: 0,
    })
    for (let token = 0; token < vocabulary; token++) {
      const share = Math.exp(logProbability(logits.logits as Float32Array, token))
      const got = first.filter((t) => t === token).length / 600
      expect(Math.abs(got - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / 600))
    }
  })

  it('draws anew at every position', async () => {
    const { values, shapes } = model.parameters
    const zeros = Object.fromEntries(
      Object.entries(values).map(([name, { length }]) => [name, new Float32Array(length)]),
    )
    const even = { ...model, parameters: { values: zeros, shapes, version: -1 } }
    const drawn = await generate(even, reference, promptsOf([1, 1, 1]), { temperature: 1 })
    for (const { tokens } of drawn) expect(new Set(tokens).size).toBeGreaterThan(vocabulary / 2)
  })

  it('takes the likeliest token of one', async () => {
    const wanted = (await run({})).map(({ tokens }) => tokens)
    expect((await run({ temperature: 3, topK: 1 })).map(({ tokens }) => tokens)).toEqual(wanted)
  })

  it('writes one token after a prompt as long as the model reads, and nothing for no prompt', async () => {
    const [{ tokens }] = await run({}, promptsOf([maxLength]))
    expect(tokens).toHaveLength(1)
    expect(await run({}, [])).toEqual([])
  })

  it('follows weights that change', async () => {
    const generator = new Generator(reference, model.config)
    const other = initialParameters(model.config, 9)
    const [before] = await generator.generate(model.parameters, [ragged[0]])
    const [after] = await generator.generate(other, [ragged[0]])
    expect(after).toEqual((await generate({ ...model, parameters: other }, reference, [ragged[0]]))[0])
    expect(after.logProbability).not.toBe(before.logProbability)
  })

  it.each<[string, GenerateOptions, number[][], string]>([
    ['no token', {}, [[1], []], 'prompt 2 is empty: give one token or more'],
    ['too many tokens', {}, [new Array(21).fill(0)], 'prompt 1 has 21 tokens: the model reads at most 20'],
    ['a token too high', {}, [[1, 2, 6]], 'prompt 1 holds 6 at 2: the model has token ids 0 to 5'],
    ['a token below 0', {}, [[-1]], 'prompt 1 holds -1 at 0: the model has token ids 0 to 5'],
    ['no new token', { maxTokens: 0 }, [[1]], 'maxTokens must be a whole number from 1, got 0'],
    ['half a token', { maxTokens: 1.5 }, [[1]], 'maxTokens must be a whole number from 1, got 1.5'],
    ['a temperature', { temperature: -1 }, [[1]], 'sampling: temperature must be a number from 0, got -1'],
  ])('refuses %s', async (_, options, prompts, message) => {
    const promise = run(
      options,
      prompts.map((prompt) => Int32Array.from(prompt)),
    )
    await expect(promise).rejects.toThrow(message)
  })
})
