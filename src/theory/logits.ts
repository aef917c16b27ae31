/**
 * What a model says: logits after its last loop, or anything of the state after each. B sequences of T tokens, V token ids.
 */
import { compileForward } from '../compile/index.ts'
import type { Executor } from '../executor/executor.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { input, output, type Tensor, trace } from '../graph/graph.ts'
import type { Model } from '../model/model-folder.ts'
import { logitsPrograms } from '../model/programs.ts'
import { transformer } from '../model/transformer.ts'

/** Logits f32`[B, T, V]` of tokens `[B, T]`. */
export const logitsOf = (model: Model, executor: Executor, tokens_BT: Int32Array, T: number): Promise<Float32Array> =>
  logitsReader(model, executor, T)(tokens_BT)

function logitsReader({ config, parameters: { values, version } }: Model, executor: Executor, T: number) {
  const runner = new StepRunner(executor, logitsPrograms(config, T))
  return async (tokens: Int32Array): Promise<Float32Array> => {
    const run = { count: tokens.length / T, parameters: values, inputs: { tokens }, version }
    return (await runner.run(run)).logits as Float32Array
  }
}

/** Sequences whose logits are held at a time. */
const atOnce = 256

/** The token that has the largest logit at every position, i32`[B, T]`, of tokens `[B, T]`. */
export async function predictions(
  model: Model,
  executor: Executor,
  tokens_BT: Int32Array,
  T: number,
): Promise<Int32Array> {
  const V = model.config.vocabulary
  const read = logitsReader(model, executor, T)
  const said = new Int32Array(tokens_BT.length)
  for (let start = 0; start < said.length; start += atOnce * T) {
    const logits = await read(tokens_BT.slice(start, start + atOnce * T))
    for (let row = 0; row < logits.length / V; row++)
      said[start + row] = best(logits.subarray(row * V, (row + 1) * V)).token
  }
  return said
}

/** The largest logit's token and its lead over the second. */
export function best(logits: Float32Array): { token: number; gap: number } {
  let [token, gap] = [0, Number.POSITIVE_INFINITY]
  for (let v = 1; v < logits.length; v++) {
    const lead = logits[v] - logits[token]
    if (lead > 0) [token, gap] = [v, lead]
    else gap = Math.min(gap, logits[token] - logits[v])
  }
  return { token, gap }
}

/**
 * What `read` makes of the state `[T, d]` after each loop of a model of one segment: f32`[B, loops, …]`, of tokens
 * `[B, T]`. It may read parameters of the model.
 */
export async function readLoops(
  { config, parameters: { values, version } }: Model,
  executor: Executor,
  tokens_BT: Int32Array,
  T: number,
  read: (state: Tensor) => Tensor,
): Promise<Float32Array> {
  const graph = trace('loops', () => {
    const { taps } = transformer(config, input('tokens', [T], 'i32'), { tap: ({ after }) => ({ read: read(after) }) })
    output('loops', taps[0].read)
  })
  const runner = new StepRunner(executor, compileForward(graph))
  const run = { count: tokens_BT.length / T, parameters: values, inputs: { tokens: tokens_BT }, version }
  return (await runner.run(run)).loops as Float32Array
}
