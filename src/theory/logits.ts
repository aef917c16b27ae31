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
export async function logitsOf(
  { config, parameters: { values, version } }: Model,
  executor: Executor,
  tokens_BT: Int32Array,
  length: number,
): Promise<Float32Array> {
  const runner = new StepRunner(executor, logitsPrograms(config, length))
  const count = tokens_BT.length / length
  const { logits } = await runner.run({ count, parameters: values, inputs: { tokens: tokens_BT }, version })
  return logits as Float32Array
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
