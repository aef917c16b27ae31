/**
 * Numbers as people read them: two significant digits below ten, whole numbers above, SI prefixes.
 * @module
 */

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']

/** Scales to below 1000 and says by which SI prefix; 999,600 is 1.0 M and not 1000 k. */
function scale(value: number): { digits: string; prefix: string } {
  if (!Number.isFinite(value)) return { digits: String(value), prefix: '' }
  let power = 0
  let rest = value
  // below 1000 after rounding, so that no four digits are ever printed
  while (Math.abs(rest) >= 999.5 && power < prefixes.length - 1) {
    rest /= 1000
    power += 1
  }
  const decimals = power > 0 && Math.abs(rest) < 9.95 ? 1 : 0
  return { digits: rest.toFixed(decimals), prefix: prefixes[power]! }
}

/** A whole number with thousands separators: `1,500`. */
export function formatInteger(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** A count with an SI prefix: `512`, `201 k`, `1.2 M`. */
export function formatCount(value: number): string {
  const { digits, prefix } = scale(value)
  return prefix ? `${digits} ${prefix}` : digits
}

/** A number of parameters: `201 k`, `1.2 M`. */
export const formatParameters = formatCount

/** Floating point operations, a multiplication and an addition counted as two: `3.1 TFLOP`, `12 PFLOP`. */
export function formatFlops(flops: number): string {
  const { digits, prefix } = scale(flops)
  return `${digits} ${prefix}FLOP`
}

/** A fraction as percent with one decimal: 0.973 is `97.3 %`. */
export function formatPercent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`
}

/** A loss in nats: `1.386`, `0.042`, and `3.1e-4` where three decimals would show nothing; `–` for one that is no number. */
export function formatLoss(loss: number): string {
  if (!Number.isFinite(loss)) return '–'
  return loss !== 0 && Math.abs(loss) < 0.001 ? loss.toExponential(1) : loss.toFixed(3)
}

/** Seconds in the two largest units: `0.4 s`, `42 s`, `1 m 12 s`, `2 h 5 m`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`
  const m = Math.round(seconds / 60)
  if (m < 24 * 60) return `${Math.floor(m / 60)} h ${m % 60} m`
  const h = Math.round(seconds / 3600)
  return `${Math.floor(h / 24)} d ${h % 24} h`
}

/** A rate: `formatRate(54_321, 'tokens')` is `54 k tokens/s`, `formatRate(2.1e11, 'FLOP')` is `210 GFLOP/s`. */
export function formatRate(perSecond: number, unit: string): string {
  return unit === 'FLOP' ? `${formatFlops(perSecond)}/s` : `${formatCount(perSecond)} ${unit}/s`
}
