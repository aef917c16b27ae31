/**
 * The tables of `lathe bench`.
 */
import type { Ceilings } from '../bench/ceilings.ts'
import type { Checked } from '../bench/check.ts'
import { mostDrift } from '../bench/measure.ts'
import type { RatedTiming } from '../bench/model-timing.ts'
import type { Peer, PeerResult } from '../bench/peers.ts'
import type { Executor } from '../executor/index.ts'
import { formatCount, formatPercent, formatRate } from '../report/format.ts'
import { type Block, sentence, table } from './bench-page.ts'

export const formatMs = (ms: number): string => `${ms.toFixed(1)} ms`
export const formatDrift = (drift: number): string => (Math.abs(drift) > mostDrift ? 'noisy' : 'steady')
export const formatError = (error: number): string => error.toExponential(1)
export const formatFlopRate = (rate: number): string => formatRate(rate, 'FLOP')

export function ceilingsTable(ceilings: Ceilings, { isa }: Executor): Block[] {
  const bytes = (rate: number) => `${formatCount(rate)}B/s`
  const flops = (rate: number | undefined) => (rate ? formatFlopRate(rate) : 'no instruction for it here')
  const read = Object.entries(ceilings.read).map(([level, { kib, rate }]) => {
    return { ceiling: `read ${level}, ${formatCount(1024 * kib)}B a thread`, rate: bytes(rate) }
  })
  const rows = [
    { ceiling: 'multiply-add f32', rate: flops(ceilings.f32) },
    { ceiling: `multiply-add bf16${isa === 'amx' ? ' (AMX)' : ''}`, rate: flops(ceilings.bf16) },
    ...read,
  ]
  const columns = [
    { key: 'ceiling', title: 'ceiling, all threads' },
    { key: 'rate', title: 'rate', align: 'right' },
  ] as const
  const without = isa === 'amx' ? [] : [sentence('AMX: not measured, it is not in use here.')]
  return [table<(typeof rows)[number]>(columns, rows), ...without]
}

export interface Product {
  readonly shape: string
  /** FLOP/s. */
  readonly rate: number
}

export function productsTable(products: readonly Product[], ceiling: number | undefined): Block {
  const rows = products.map(({ shape, rate }) => ({ shape, rate, share: ceiling && rate / ceiling }))
  return table(
    [
      { key: 'shape', title: 'matrix product (rows × inner × columns)' },
      { key: 'rate', title: 'rate', align: 'right', format: formatFlopRate },
      { key: 'share', title: 'of ceiling', align: 'right', format: formatPercent },
    ],
    rows,
  )
}

export function timingsTable(timings: Readonly<Record<string, RatedTiming>>): Block {
  const rows = Object.entries(timings).map(([model, timing]) => {
    const shareOfS = timings.S && timing.teraflops / timings.S.teraflops
    return { model, ...timing, rate: 1e12 * timing.teraflops, shareOfS }
  })
  return table(
    [
      { key: 'model', title: 'training step' },
      { key: 'msPerStep', title: 'time', align: 'right', format: formatMs },
      { key: 'rate', title: 'rate', align: 'right', format: formatFlopRate },
      { key: 'shareOfCeiling', title: 'of ceiling', align: 'right', format: formatPercent },
      ...(timings.S ? [{ key: 'shareOfS', title: 'of S', align: 'right', format: formatPercent } as const] : []),
      { key: 'tokensPerSecond', title: 'tokens', align: 'right', format: (rate: number) => formatRate(rate, 'tokens') },
      { key: 'noisy', title: 'machine', format: (noisy: readonly string[]) => (noisy.length ? 'noisy' : 'steady') },
    ],
    rows,
  )
}

/** Why a peer has no time, in one line. */
export const describeFailure = (result: Exclude<PeerResult, { readonly ms: number }>): string =>
  'failed' in result ? `failed: ${result.failed}` : `disagrees: ${formatPercent(result.disagrees)}`

/** A row a peer: its time, and how many times that of Lathe in turn with it, on each model. What failed follows in full. */
export function peersTable(timings: Readonly<Record<string, RatedTiming>>, peers: readonly Peer[]): Block[] {
  const beside = Object.entries(timings).flatMap(([model, { results, ...ours }]) =>
    results ? [{ model, ours, results }] : [],
  )
  const rows = peers.map(({ name }) => {
    const cells = beside.flatMap(({ model, results }) => {
      const result = results[name]
      if (!result) return []
      if (!('ms' in result)) return [[model, 'failed' in result ? 'failed' : describeFailure(result)]]
      const { ms, beside: ratio, batch } = result
      const notes = [batch && `batch ${batch}`, formatDrift(ratio.drift) === 'noisy' && 'noisy'].filter(Boolean)
      const note = notes.length > 0 ? ` (${notes.join(', ')})` : ''
      return [[model, `${formatMs(ms)}  ${ratio.ratio.toFixed(2)}×${note}`]]
    })
    return { peer: name, ...Object.fromEntries(cells) }
  })
  const lathe = Object.fromEntries(beside.map(({ model, ours }) => [model, `${formatMs(ours.msPerStep)}  1.00×`]))
  const columns = beside.map(({ model }) => ({ key: model, title: model, align: 'right' as const }))
  const failures = beside.flatMap(({ model, results }) =>
    Object.entries(results).flatMap(([name, result]) =>
      'failed' in result ? [sentence(`${model}: ${name} ${describeFailure(result)}`)] : [],
    ),
  )
  return [
    table<Record<string, string>>(
      [{ key: 'peer', title: 'whole steps beside peers' }, ...columns],
      [{ peer: 'Lathe', ...lathe }, ...rows],
    ),
    ...failures,
  ]
}

/** Relative errors of gradients, ours and those of peers. */
export function checksTable(check: Readonly<Record<string, Checked>>, peers: readonly Peer[] = []): Block[] {
  const all = Object.entries(check)
  const rows = all.map(([model, { peers: theirs, whole, bar, worstTensor, tensor, ok }]) => {
    const cells = Object.entries(theirs).map(([name, its]) => {
      return [name, 'error' in its ? formatError(its.error) : 'failed'] as const
    })
    const errors = { whole: formatError(whole), bar: formatError(bar), worst: formatError(worstTensor) }
    return { model, ...errors, tensor, ok: ok ? 'ok' : 'too far', ...Object.fromEntries(cells) }
  })
  const failures = all.flatMap(([model, { peers: theirs }]) =>
    Object.entries(theirs).flatMap(([name, its]) =>
      'failed' in its ? [sentence(`${model}: ${name} ${describeFailure(its)}`)] : [],
    ),
  )
  return [
    table<Record<string, string>>(
      [
        { key: 'model', title: 'gradients' },
        { key: 'whole', title: 'whole', align: 'right' },
        { key: 'bar', title: 'bar', align: 'right' },
        { key: 'worst', title: 'worst', align: 'right' },
        { key: 'tensor', title: 'tensor' },
        { key: 'ok', title: '' },
        ...peers.map(({ name }) => ({ key: name, title: name, align: 'right' as const })),
      ],
      rows,
    ),
    ...failures,
  ]
}
