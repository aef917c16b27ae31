import { type Executor, type Precision, referenceExecutor } from '../executor/index.ts'
import { compareGradients } from './agreement.ts'
import type { NamedModel } from './named-model.ts'
import { type Peer, type PeerError, peerErrors } from './peers.ts'
import { BenchStep, drawStep } from './step.ts'

/** Largest relative L2 errors of gradients beside the reference executor in f32. bf16 rounds operands: no bar a tensor. */
const bars: Record<Precision, { readonly whole: number; readonly tensor: number }> = {
  f32: { whole: 1e-5, tensor: 1e-4 },
  bf16: { whole: 1e-2, tensor: Number.POSITIVE_INFINITY },
}

/** How many times a peer's own error ours may be, in bf16. */
const mostTimesPeer = 1.3

export interface Checked {
  /** Relative L2 error of all gradients as one vector. */
  readonly whole: number
  /** Of the tensor that is furthest off. */
  readonly worstTensor: number
  readonly tensor: string
  /** Largest error of the whole gradient that passes. */
  readonly bar: number
  /** By the name of a peer: its own error, or why it has none. */
  readonly peers: Readonly<Record<string, PeerError>>
  readonly ok: boolean
}

export interface CheckOptions {
  /** Measured on the same sequences. In bf16 we may not be further off than 1.3 times the best of them in bf16. */
  readonly peers?: readonly Peer[]
  readonly seed?: number
  readonly progress?: (name: string) => void
}

/** Gradients of two sequences on an executor beside those of the reference executor in f32. */
export async function checkGradients(
  model: NamedModel,
  executor: Executor,
  { peers: beside = [], seed = 0, progress }: CheckOptions = {},
): Promise<Checked> {
  const { precision, threads } = executor
  const data = drawStep(model, 2, seed)
  const wanted = await new BenchStep(model, data, referenceExecutor()).gradients()
  const got = await new BenchStep(model, data, executor).gradients()
  const { whole, worstTensor, tensor } = compareGradients(got, wanted)
  const peers = await peerErrors(beside, { model, data, wanted, threads }, progress)
  const rounded = precision === 'bf16' ? beside.filter((peer) => peer.precision === 'bf16') : []
  const theirs = rounded.flatMap(({ name }) => ('error' in peers[name] ? peers[name].error : []))
  const bar = Math.min(bars[precision].whole, ...theirs.map((error) => mostTimesPeer * error))
  return { whole, worstTensor, tensor, bar, peers, ok: whole <= bar && worstTensor <= bars[precision].tensor }
}
