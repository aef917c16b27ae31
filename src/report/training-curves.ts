import * as Plot from '@observablehq/plot'
import { LatheError } from '../settings/error.ts'
import { accuracyAxis, checkFraction, drawFigure, lineColours } from './figure.ts'
import { formatInteger, formatLoss, formatPercent } from './format.ts'

/** What is known of a run after a step: its loss, or its held-out accuracy as a fraction, or both. */
export interface CurvePoint {
  step: number
  loss?: number
  accuracy?: number
}

export interface TrainingCurvesOptions {
  runs: readonly { label: string; points: readonly CurvePoint[] }[]
  metric: 'loss' | 'accuracy'
}

/**
 * Loss or held-out accuracy against training steps as SVG, one line per run, labelled at its end with its last value.
 * A run of more than 150 points is drawn as the means of 150 stretches, in a pale band from their least to their greatest value.
 *
 * @throws LatheError for no run, a run without a finite value of this metric, or an accuracy that is not a fraction.
 */
export function trainingCurvesFigure({ runs, metric }: TrainingCurvesOptions): string {
  if (runs.length === 0) throw new LatheError('training curves: no run to draw')
  const format = metric === 'loss' ? formatLoss : formatPercent
  const lines = runs.map(({ label, points }, i) => {
    const values = points.flatMap(({ step, [metric]: value }) =>
      Number.isFinite(value) ? [{ step, value: value! }] : [],
    )
    if (values.length === 0) throw new LatheError(`training curves: ${label} has no ${metric} at any step`)
    if (metric === 'accuracy') for (const { step, value } of values) checkFraction(value, `${label} at step ${step}`)
    const stretches = summarise(values)
    return { label, stretches, last: stretches.at(-1)!, colour: lineColours[i % lineColours.length]! }
  })
  const all = lines.flatMap((line) => line.stretches)
  const steps = Math.max(...all.map((stretch) => stretch.step))
  const highest = Math.max(...all.map((stretch) => stretch.high))
  const losses = {
    label: 'loss (nats)',
    domain: [0, highest || 1],
    nice: true,
    ticks: 6,
  } as const
  const ends = lines.map(({ label, last }) => `${label}: ${format(last.mean)} at step ${formatInteger(last.step)}`)
  return drawFigure({
    description: `${metric === 'loss' ? 'Loss' : 'Held-out accuracy'} against training steps. ${ends.join('. ')}.`,
    x: { label: 'training steps', domain: [0, steps], ticks: 6, tickFormat: formatInteger },
    y: metric === 'loss' ? { ...losses, tickFormat: String } : { ...accuracyAxis, label: 'held-out accuracy' },
    marks: lines.map(({ stretches, colour }) => [
      Plot.areaY(stretches, { x: 'step', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.15 }),
      Plot.lineY(stretches, { x: 'step', y: 'mean', stroke: colour, strokeWidth: 2 }),
      stretches.length <= 40 ? Plot.dot(stretches, { x: 'step', y: 'mean', fill: colour, r: 2.5 }) : [],
    ]),
    labels: lines.map(({ label, last, colour }) => ({ y: last.mean, text: label, value: format(last.mean), colour })),
  })
}

const maxStretches = 150

interface Stretch {
  step: number
  mean: number
  low: number
  high: number
}

/** Cuts a curve into at most 150 stretches of equal length, each placed at its last step. */
function summarise(values: readonly { step: number; value: number }[]): Stretch[] {
  const count = Math.min(maxStretches, values.length)
  return Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count))
    const numbers = part.map((point) => point.value)
    const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length
    return { step: part.at(-1)!.step, mean, low: Math.min(...numbers), high: Math.max(...numbers) }
  })
}
