/**
 * A named model's training step in numbers, with peers beside it.
 */
import { chooseExecutor, type Executor, type ExecutorChoice } from '../executor/index.ts'
import { LatheError } from '../settings/error.ts'
import { disagreement } from './agreement.ts'
import { highest, noise, type RunCeilings } from './ceilings.ts'
import { clocked, type StepTiming, timeStep } from './measure.ts'
import type { NamedModel } from './named-model.ts'
import { type Peer, type PeerResult, peerBars, runPeers } from './peers.ts'
import { BenchStep, drawStep, firstSequences, type StepData } from './step.ts'

export interface ModelTiming extends StepTiming {
  readonly results?: Readonly<Record<string, PeerResult>>
}

/** Beside the ceilings of its run. */
export interface RatedTiming extends ModelTiming {
  /** Fraction of the multiply-add ceiling of the precision. */
  readonly shareOfCeiling?: number
  /** Why the numbers should not be quoted; empty where the machine was steady. */
  readonly noisy: readonly string[]
}

export function rated(timing: ModelTiming, executor: Executor, ceilings: RunCeilings | undefined): RatedTiming {
  const ceiling = ceilings && highest(ceilings)[executor.precision]
  const shareOfCeiling = ceiling && (1e12 * timing.teraflops) / ceiling
  return { ...timing, shareOfCeiling, noisy: noise(executor, ceilings, timing.drift) }
}

export interface ModelTimingOptions {
  readonly executor: Executor
  /** How `executor` was chosen: the same in f32 says what loss and gradients should be. */
  readonly choice: ExecutorChoice
  readonly peers?: readonly Peer[]
  readonly seed: number
  /** Time of the measured runs, and again of each peer's and of those beside it. */
  readonly seconds: number
  readonly progress?: (peer: string) => void
}

/**
 * Times a model's whole step, and then each peer's in turn with it. With peers, Lathe must agree with its own f32, or a
 * LatheError says how far off it is.
 */
export async function timeModel(model: NamedModel, options: ModelTimingOptions): Promise<ModelTiming> {
  const { executor, peers, seed, seconds, progress } = options
  const draw = () => drawStep(model, model.batch, seed)
  const step = new BenchStep(model, draw(), executor)
  if (!peers) return timeStep(step, seconds)
  const data = draw() // a step changes the weights of its own
  const f32 = chooseExecutor({ ...options.choice, precision: 'f32' })
  const right = async (data: StepData) => ({ data, wanted: await new BenchStep(model, data, f32).gradients() })
  const whole = await right(data)
  const off = disagreement(await step.gradients(), whole.wanted)
  if (!(off <= peerBars[executor.precision]))
    throw new LatheError(`${model.name}: ${executor.precision} is ${(100 * off).toFixed(1)} % off f32: nothing to time`)
  const timing = await timeStep(step, seconds)
  const part = (count: number) => right(firstSequences(data, count))
  const lathe = clocked(() => step.train())
  const task = { model, ...whole, part, threads: executor.threads, seconds, lathe }
  return { ...timing, results: await runPeers(peers, task, progress) }
}
