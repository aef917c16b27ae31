import * as Plot from '@observablehq/plot'
import { LatheError } from '../settings/error.ts'
import { accuracyAxis, checkFraction, drawFigure, ink, lineColours, muted } from './figure.ts'
import { formatPercent } from './format.ts'

export interface LoopSweepSeries {
  label: string
  /** Accuracy, a fraction, at each number of loops that was evaluated. */
  points: readonly { loops: number; accuracy: number }[]
  /** The number of loops that the model was trained with. */
  trainedLoops: number
}

export interface LoopSweepOptions {
  series: readonly LoopSweepSeries[]
  /** Accuracy of a guess, a fraction. */
  chance: number
  /** Models without loops to compare with, drawn as horizontal lines. */
  references: readonly { label: string; accuracy: number }[]
}

/**
 * Accuracy against evaluated loops as SVG: a line per looped model with its trained loop count ringed, a horizontal line
 * per reference model, chance dashed. Every line is labelled at its end.
 *
 * @throws LatheError for no series, a series without points, or an accuracy that is not a fraction.
 */
export function loopSweepFigure({ series, chance, references }: LoopSweepOptions): string {
  if (series.length === 0) throw new LatheError('loop sweep figure: no series to draw')
  const colour = (i: number) => lineColours[i % lineColours.length]!
  const lines = series.map((s, i) => ({ ...s, points: checkedPoints(s), colour: colour(i) }))
  const levels = references.map((r, i) => ({ ...r, colour: colour(series.length + i) }))
  for (const level of [...levels, { label: 'chance', accuracy: chance }]) checkFraction(level.accuracy, level.label)

  const loops = [...new Set(lines.flatMap((line) => line.points.map((point) => point.loops)))].sort((a, b) => a - b)
  const trained = [...new Set(lines.map((line) => line.trainedLoops))]
  const most = Math.max(...loops, ...trained)
  return drawFigure({
    description: describe(lines, references, chance),
    x: {
      label: 'loops evaluated',
      // counts that double, as 1, 2, 4 … 32, deserve equal steps
      type: most > 16 ? 'log' : 'linear',
      domain: [Math.min(...loops, ...trained), most],
      ticks: loops.length <= 12 ? loops : 8,
      tickFormat: String,
      inset: 14,
    },
    y: accuracyAxis,
    marks: [
      Plot.ruleY([chance], { stroke: muted, strokeDasharray: '4,4' }),
      levels.map((level) => Plot.ruleY([level.accuracy], { stroke: level.colour, strokeWidth: 1.5 })),
      trained.length === 1 ? trainedRule(trained[0]!, lines) : [],
      lines.map(({ points, trainedLoops, colour }) => {
        const xy = { x: 'loops', y: 'accuracy' }
        const ringed = points.filter((point) => point.loops === trainedLoops)
        return [
          Plot.line(points, { ...xy, stroke: colour, strokeWidth: 2.25 }),
          Plot.dot(points, { ...xy, fill: colour, r: 3.25 }),
          Plot.dot(ringed, { ...xy, fill: 'white', stroke: colour, strokeWidth: 2.5, r: 5.5 }),
        ]
      }),
    ],
    labels: [
      ...lines.map(({ label, trainedLoops, points, colour }) => {
        const last = points.at(-1)!.accuracy
        const value = trained.length > 1 ? `(trained: ${trainedLoops})` : formatPercent(last)
        return { y: last, text: label, value, colour }
      }),
      ...levels.map((level) => ({
        ...level,
        y: level.accuracy,
        text: level.label,
        value: formatPercent(level.accuracy),
      })),
      { y: chance, text: 'chance', value: formatPercent(chance), colour: muted },
    ],
  })
}

function checkedPoints({ label, points }: LoopSweepSeries): LoopSweepSeries['points'] {
  if (points.length === 0) throw new LatheError(`loop sweep figure: ${label} has no points`)
  for (const { loops, accuracy } of points) checkFraction(accuracy, `${label} at ${plural(loops)}`)
  return [...points].sort((a, b) => a.loops - b.loops)
}

/** The trained loop count, named above the frame; with its accuracy where only one model is drawn. */
function trainedRule(loops: number, lines: readonly LoopSweepSeries[]): Plot.Markish {
  const point = lines.length === 1 ? lines[0]!.points.find((p) => p.loops === loops) : undefined
  const atLeft = lines.every((line) => line.points[0]!.loops >= loops)
  const text = `trained with ${plural(loops)}${point ? `: ${formatPercent(point.accuracy)}` : ''}`
  return [
    Plot.ruleX([loops], { stroke: ink, strokeOpacity: 0.35, strokeDasharray: '1,3' }),
    // centred, it would leave the page at the left end
    Plot.text([text], {
      x: () => loops,
      frameAnchor: 'top',
      textAnchor: atLeft ? 'start' : 'middle',
      dy: -20,
      fill: ink,
    }),
  ]
}

const plural = (loops: number) => (loops === 1 ? '1 loop' : `${loops} loops`)

function describe(
  series: readonly LoopSweepSeries[],
  references: LoopSweepOptions['references'],
  chance: number,
): string {
  const sweeps = series.map(({ label, trainedLoops, points }) => {
    const values = points.map(({ loops, accuracy }) => `${formatPercent(accuracy)} at ${plural(loops)}`)
    return `${label}, trained with ${plural(trainedLoops)}: ${values.join(', ')}`
  })
  const levels = [...references, { label: 'chance', accuracy: chance }]
  const levelTexts = levels.map(({ label, accuracy }) => `${label} ${formatPercent(accuracy)}`)
  return `Accuracy against evaluated loops. ${sweeps.join('. ')}. For comparison: ${levelTexts.join(', ')}.`
}
