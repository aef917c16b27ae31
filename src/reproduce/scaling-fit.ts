/**
 * Accuracy against effective depth: accuracy = α ln D + β (arXiv 2502.17416, §3.4).
 */
import { LatheError } from '../settings/error.ts'

/** A least-squares line through accuracies over ln D. */
export interface LogFit {
  /** Accuracy, a fraction, gained per factor e of effective depth. */
  readonly alpha: number
  readonly beta: number
  /** 95 % confidence interval of α, residuals taken as normal. */
  readonly interval: readonly [low: number, high: number]
  /** Share of the variance that the line explains. */
  readonly r2: number
  readonly standardError: number
  readonly freedom: number
}

/**
 * Fits a line. Throws a LatheError below three depths, which leave nothing to judge the line by.
 *
 * @example
 * fitLog([{ depth: 1, accuracy: 0.2 }, { depth: 2, accuracy: 0.4 }, { depth: 4, accuracy: 0.6 }]).r2 // 1
 */
export function fitLog(points: readonly { depth: number; accuracy: number }[]): LogFit {
  const n = points.length
  if (new Set(points.map(({ depth }) => depth)).size < 3)
    throw new LatheError(`a fit of ${n} points: at least three depths are needed`)
  const xs = points.map(({ depth }) => Math.log(depth))
  const ys = points.map(({ accuracy }) => accuracy)
  const [meanX, meanY] = [mean(xs), mean(ys)]
  const sxx = xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0)
  const alpha = xs.reduce((sum, x, i) => sum + (x - meanX) * (ys[i] - meanY), 0) / sxx
  const beta = meanY - alpha * meanX
  const residual = ys.reduce((sum, y, i) => sum + (y - alpha * xs[i] - beta) ** 2, 0)
  const total = ys.reduce((sum, y) => sum + (y - meanY) ** 2, 0)
  const freedom = n - 2
  const standardError = Math.sqrt(residual / freedom / sxx)
  const half = studentT(freedom) * standardError
  const r2 = total === 0 ? 1 : 1 - residual / total
  return { alpha, beta, interval: [alpha - half, alpha + half], r2, standardError, freedom }
}

/**
 * The ratio of two slopes with its 95 % confidence interval by Fieller's theorem (1954); no interval where the lower slope
 * may be zero. The fits are taken as independent: a row that stands in both makes the interval too wide, if anything.
 */
export function slopeRatio(a: LogFit, b: LogFit): { ratio: number; interval?: readonly [low: number, high: number] } {
  const ratio = a.alpha / b.alpha
  const t = studentT(Math.min(a.freedom, b.freedom))
  const g = (t * b.standardError) ** 2 / b.alpha ** 2
  if (g >= 1) return { ratio }
  const spread = (t / b.alpha) * Math.sqrt((1 - g) * a.standardError ** 2 + ratio ** 2 * b.standardError ** 2)
  const ends = [(ratio - spread) / (1 - g), (ratio + spread) / (1 - g)].sort((x, y) => x - y)
  return { ratio, interval: [ends[0], ends[1]] }
}

// 97.5 % quantiles of Student's t for 1, 2, … 10 degrees of freedom.
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]

function studentT(freedom: number): number {
  const t = quantiles[freedom - 1]
  if (t === undefined) throw new LatheError(`a fit of ${freedom + 2} points: at most ${quantiles.length + 2} are known`)
  return t
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
