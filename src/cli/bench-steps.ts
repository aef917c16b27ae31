/**
 * `lathe bench` without a flag that asks for something else: ceilings, matrix products, training steps, peers.
 */
import { type Ceilings, highest, measureCeilings } from '../bench/ceilings.ts'
import { matmulShapes, timeMatmul } from '../bench/measure.ts'
import { type ModelTiming, type RatedTiming, rated, timeModel } from '../bench/model-timing.ts'
import type { NamedModel } from '../bench/named-model.ts'
import type { Peer, PeerResult } from '../bench/peers.ts'
import type { Executor } from '../executor/index.ts'
import { type Block, legend, type Measured, sentence } from './bench-page.ts'
import {
  ceilingsTable,
  describeFailure,
  formatFlopRate,
  formatMs,
  type Product,
  peersTable,
  productsTable,
  timingsTable,
} from './bench-tables.ts'
import type { CommonFlags } from './options.ts'

export interface StepsOptions {
  readonly models: readonly NamedModel[]
  readonly executor: Executor
  readonly peers?: readonly Peer[]
  readonly flags: CommonFlags & { readonly seconds: number }
  readonly say: (line: string) => void
}

export async function measureSteps({ models, executor, peers, flags, say }: StepsOptions): Promise<Measured> {
  say('ceilings')
  const first = await measureCeilings(executor)
  const products: Product[] = []
  say('matrix products')
  for (const shape of matmulShapes) products.push({ shape: shape.join(' × '), rate: await timeMatmul(shape, executor) })
  const timed: Record<string, ModelTiming> = {}
  for (const model of models) {
    say(`${model.name}: training steps`)
    const timing = await timeModel(model, {
      executor,
      choice: flags,
      peers,
      seed: flags.seed ?? 0,
      seconds: flags.seconds,
      progress: (peer) => say(`${model.name}: ${peer}`),
    })
    timed[model.name] = timing
    say(`${model.name}: ${formatMs(timing.msPerStep)}, ${formatFlopRate(1e12 * timing.teraflops)}`)
  }
  say('ceilings again')
  const last = await measureCeilings(executor)
  const both = first && last && ([first, last] as const)
  const ceilings = both && highest(both)
  const rate = ([name, timing]: [string, ModelTiming]) => [name, rated(timing, executor, both)] as const
  const timings: Record<string, RatedTiming> = Object.fromEntries(Object.entries(timed).map(rate))
  const entries = Object.entries(timings).map(([name, { results, ...timing }]) => [
    name,
    { ...timing, ...(results && peersInJson(results)) },
  ])
  return {
    title: 'Training steps on this machine',
    json: { models: Object.fromEntries(entries), ceilings: ceilings && ceilingsInJson(ceilings), products },
    blocks: [
      ...(ceilings ? ceilingsTable(ceilings, executor) : []),
      productsTable(products, ceilings?.[executor.precision]),
      timingsTable(timings),
      legend(
        'A step is forward, backward, clipping and AdamW; its rate is that of its matrix products, of ceiling that beside the ' +
          'multiply-add above; tokens are those of the batch. Ceilings are the higher of two measurements, before and after. Noisy: the ' +
          'later half of the runs differs from the earlier by over 5 %.',
      ),
      ...noiseSentences(timings),
      ...(peers ? peersTable(timings, peers) : []),
    ],
  }
}

const noiseSentences = (timings: Readonly<Record<string, RatedTiming>>): Block[] =>
  Object.entries(timings).flatMap(([model, { noisy }]) =>
    noisy.length > 0 ? [sentence(`${model} is noisy: ${noisy.join('; ')}.`)] : [],
  )

/** FLOP/s by precision, and bytes/s by level of memory. */
function ceilingsInJson({ f32, bf16, read }: Ceilings): object {
  return { f32, bf16, read: Object.fromEntries(Object.entries(read).map(([level, { rate }]) => [level, rate])) }
}

/**
 * Medians of the peers that were timed, how many times Lathe's they are, why the others were not, and the batch of those
 * that held less than a step.
 */
function peersInJson(results: Readonly<Record<string, PeerResult>>): object {
  const entries = Object.entries(results)
  const timed = entries.flatMap(([name, result]) => ('ms' in result ? [[name, result.ms]] : []))
  const ratios = entries.flatMap(([name, result]) => ('ms' in result ? [[name, result.beside]] : []))
  const notTimed = entries.flatMap(([name, result]) => ('ms' in result ? [] : [[name, describeFailure(result)]]))
  const batches = entries.flatMap(([name, result]) => ('ms' in result && result.batch ? [[name, result.batch]] : []))
  return {
    peers: Object.fromEntries(timed),
    ratios: Object.fromEntries(ratios),
    notTimed: Object.fromEntries(notTimed),
    ...(batches.length > 0 && { batches: Object.fromEntries(batches) }),
  }
}
