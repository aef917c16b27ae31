import { describe, expect, it } from 'vitest'
import type { Instruction, Program } from '../compile/index.ts'
import { deviation, drawAll, f32 } from '../executor/conformance/data.ts'
import { candidates, references } from '../executor/conformance/executors.ts'
import { dataOf } from '../executor/conformance/step.ts'
import type { Executor, Numbers } from '../executor/executor.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { LoopPlan } from '../plan/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { sizeOf } from '../tensor/type.ts'
import { type ModelConfig, type ModelSettings, modelConfig } from './config.ts'
import { decodePrograms } from './decode-programs.ts'
import { parameterShapes } from './parameters.ts'
import { logitsPrograms } from './programs.ts'

const [length, capacity, V] = [11, 13, 7]
/** What two sequences have before they go on; both are read in a run of six tokens. */
const prompts = [3, 6]
const count = prompts.length

const configOf = (settings: Partial<ModelSettings>): ModelConfig =>
  modelConfig({ plan: '1', dModel: 12, nHeads: 2, vocabulary: V, maxLength: capacity, ...settings })

function parametersOf(config: ModelConfig) {
  const weight = (shape: readonly number[]) =>
    f32(shape, (s) => (shape.length === 1 ? 1 + 0.2 * s.normal() : s.normal() / Math.sqrt(shape[1])))
  const shapes = Object.entries(parameterShapes(config)).map(([name, shape]) => [name, weight(shape)])
  return dataOf(drawAll(Object.fromEntries(shapes), 'decode'))
}

const stream = new RandomStream(1, 'decode')
const tokens = Array.from({ length: count }, () => Int32Array.from({ length }, () => stream.integer(V)))

/** The logits of every sequence at each position from its prompt's last on, all tokens run at once. */
async function whole(executor: Executor, config: ModelConfig): Promise<Numbers> {
  const inputs = { tokens: Int32Array.from(tokens.flatMap((one) => [...one])) }
  const runner = new StepRunner(executor, logitsPrograms(config, length))
  const { logits } = await runner.run({ count, parameters: parametersOf(config), inputs, version: 0 })
  return Float32Array.from(
    prompts.flatMap((n, b) => [...logits.subarray((b * length + n - 1) * V, (b + 1) * length * V)]),
  )
}

/** The same from prompts of ragged lengths and then, where they are left, `step` tokens at a time. */
async function cached(
  executor: Executor,
  config: ModelConfig,
  { step = 1, change = (program: Program) => program } = {},
): Promise<Numbers> {
  const runnerOf = (T: number) => {
    const { main, derive } = decodePrograms(config, T, capacity)
    return new StepRunner(executor, { main: change(main), derive })
  }
  const [prefill, next] = [runnerOf(6), runnerOf(step)]
  const parameters = parametersOf(config)
  const states = Object.fromEntries(
    // what was there before must not be seen
    prefill.main.program.states.map(({ name, shape }) => [name, new Float32Array(count * sizeOf(shape)).fill(1e3)]),
  )
  const rows: number[][] = tokens.map(() => [])
  const read = async (runner: StepRunner, T: number, start: number[], ends: number[]) => {
    const inputs = {
      tokens: Int32Array.from(
        tokens.flatMap((one, b) => [...one.slice(start[b], ends[b]), ...Array(T).fill(5)].slice(0, T)),
      ),
      positions: Int32Array.from(
        start.flatMap((at) => Array.from({ length: T }, (_, t) => Math.min(at + t, capacity - 1))),
      ),
      start: Int32Array.from(start),
      last: Int32Array.from(ends, (end, b) => end - start[b] - 1),
      slot: new Int32Array(count),
    }
    const { logits } = await runner.run({ count, parameters, inputs, states, version: 0 })
    for (const [b, row] of rows.entries()) if (start[b] < length) row.push(...logits.subarray(b * V, (b + 1) * V))
  }
  await read(prefill, 6, [0, 0], prompts)
  for (let n = 0; n < length; n++) {
    const start = prompts.map((prompt) => Math.min(prompt + n, length))
    await read(
      next,
      step,
      start,
      start.map((at) => at + 1),
    )
  }
  return Float32Array.from(rows.flat())
}

const models: [string, Partial<ModelSettings>][] = [
  ['no loop', { plan: '2' }],
  ['a looped layer, learned positions', { plan: '1x4', positions: 'learned' }],
  ['two looped layers, no positions', { plan: '2x2', positions: 'none' }],
  ['ends on either side', { plan: '1,2x3,1' }],
  ['wide values, biases, a tied head', { plan: '1x3', dHeadValue: 5, bias: true, norm: 'layer', tiedHead: true }],
]

describe.each(models)('decoding with a cache: %s', (_, settings) => {
  const config = configOf(settings)

  it.each([...references, ...candidates])(
    'gives the logits of the whole sequence on $name',
    async ({ precision, make }) => {
      const executor = make()
      const off = deviation(await cached(executor, config), await whole(executor, config))
      expect(off).toBeLessThan(precision === 'f32' ? 1e-5 : 1e-2)
    },
  )

  it('may be padded at any time', async () => {
    const executor = referenceExecutor()
    expect(await cached(executor, config, { step: 2 })).toEqual(await cached(executor, config))
  })

  it('keeps keys and values of every (layer, loop)', () => {
    const { states } = decodePrograms(config, 1, capacity).main
    expect(states.reduce((slots, { shape }) => slots + shape[0], 0)).toBe(2 * LoopPlan.parse(config.plan).kvSlots)
    expect(states.every(({ shape }) => shape[1] === capacity)).toBe(true)
  })
})

/** The Program with one slot for all loops of a layer, as a cache of a plain transformer has it. */
function slotsShared(program: Program): Program {
  const slot = program.inputs.find(({ name }) => name === 'slot')!.value
  const shared = (instructions: readonly Instruction[]): Instruction[] =>
    instructions.map(({ inputs, block, ...rest }) => ({
      ...rest,
      inputs: rest.op === 'append' ? inputs.with(1, slot) : inputs,
      ...(block && { block: { ...block, instructions: shared(block.instructions) } }),
    }))
  return { ...program, instructions: shared(program.instructions) }
}

describe('a cache of one slot a layer', () => {
  const executor = referenceExecutor()
  it.each(['1x4', '1,2x3,1'])('is wrong for %s', async (plan) => {
    const config = configOf({ plan })
    const shared = await cached(executor, config, { change: slotsShared })
    expect(deviation(shared, await whole(executor, config))).toBeGreaterThan(1e-2)
  })

  it('is right without loops', async () => {
    const config = configOf({ plan: '2' })
    expect(await cached(executor, config, { change: slotsShared })).toEqual(await cached(executor, config))
  })
})

it('a bidirectional model does not decode', () => {
  expect(() => decodePrograms(configOf({ attention: 'bidirectional' }), 1, 8)).toThrow(
    'a model with bidirectional attention writes no text: train it with attention causal',
  )
})
