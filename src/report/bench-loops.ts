import * as Plot from '@observablehq/plot'
import { LatheError } from '../settings/error.ts'
import { drawFigure, lineColours } from './figure.ts'

export interface LoopTimes {
  readonly points: readonly { readonly loops: number; readonly msPerStep: number }[]
  /** Of the line that is fitted: milliseconds without a loop, and of each loop. */
  readonly intercept: number
  readonly slope: number
}

/**
 * Milliseconds of a training step against its number of loops as SVG: what was measured as dots, the fitted line under them.
 *
 * @throws LatheError for no points.
 */
export function benchLoopsFigure({ points, intercept, slope }: LoopTimes): string {
  if (points.length === 0) throw new LatheError('loops figure: no points to draw')
  const most = Math.max(...points.map(({ loops }) => loops))
  const fitted = (loops: number) => intercept + slope * loops
  const line = [0, most].map((loops) => ({ loops, msPerStep: fitted(loops) }))
  const [colour, lineColour] = lineColours
  const ms = (value: number) => `${Number(value.toPrecision(3))} ms`
  const law = `${ms(intercept)} + ${ms(slope)} a loop`
  const measured = points.map(({ loops, msPerStep }) => `${ms(msPerStep)} at ${loops}`)
  const xy = { x: 'loops', y: 'msPerStep' }
  return drawFigure({
    description: `Time of a training step against loops. ${measured.join(', ')}. Fitted: ${law}.`,
    x: { label: 'loops', domain: [0, most], ticks: 8, tickFormat: String, inset: 8 },
    y: {
      label: 'milliseconds a step',
      domain: [0, Math.max(fitted(most), ...points.map(({ msPerStep }) => msPerStep))],
      ticks: 6,
      tickFormat: (y) => String(y),
      nice: true,
    },
    marks: [
      Plot.line(line, { ...xy, stroke: lineColour, strokeWidth: 1.5 }),
      Plot.dot(points, { ...xy, fill: colour, r: 3.5 }),
    ],
    labels: [{ y: fitted(most), text: law, colour: lineColour }],
  })
}
