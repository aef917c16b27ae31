import { type Executor, type Precision, referenceExecutor } from '../executor/index.ts'
import { compareGradients } from './agreement.ts'
import type { NamedModel } from './named-model.ts'
import { BenchStep, drawStep } from './step.ts'

/** Largest relative L2 errors of gradients beside the reference executor in f32. bf16 rounds operands: no bar a tensor. */
const bars: Record<Precision, { readonly whole: number; readonly tensor: number }> = {
  f32: { whole: 1e-5, tensor: 1e-4 },
  bf16: { whole: 1e-2, tensor: Number.POSITIVE_INFINITY },
}

export interface Checked {
  /** Relative L2 error of all gradients as one vector. */
  readonly whole: number
  /** Of the tensor that is furthest off. */
  readonly worstTensor: number
  readonly tensor: string
  /** Largest error of the whole gradient that passes. */
  readonly bar: number
  readonly ok: boolean
}

/** Gradients of two sequences on an executor beside those of the reference executor in f32. */
export async function checkGradients(model: NamedModel, executor: Executor, seed = 0): Promise<Checked> {
  const data = drawStep(model, 2, seed)
  const wanted = await new BenchStep(model, data, referenceExecutor()).gradients()
  const got = await new BenchStep(model, data, executor).gradients()
  const { whole, worstTensor, tensor } = compareGradients(got, wanted)
  const bar = bars[executor.precision]
  return { whole, worstTensor, tensor, bar: bar.whole, ok: whole <= bar.whole && worstTensor <= bar.tensor }
}
