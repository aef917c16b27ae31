import * as Plot from '@observablehq/plot'
import { LatheError } from '../settings/error.ts'
import { drawFigure, ink, lineColours } from './figure.ts'

/** One axis of the grid: its name and its points in order, as a multiple of the base model's size. */
export interface GridLine {
  readonly label: string
  readonly points: readonly {
    readonly factor: number
    readonly picosecondsPerFlop: number
    /** Named in the figure, where it is a cliff. */
    readonly cliff?: string
  }[]
}

/**
 * What a FLOP costs at many shapes as SVG: a line an axis, both scales logarithmic, 1 on the x axis the base model itself.
 * Cliffs are ringed and named.
 *
 * @throws LatheError for no line or a line without points.
 */
export function benchGridFigure({ base, lines }: { base: string; lines: readonly GridLine[] }): string {
  const all = lines.flatMap(({ points }) => points)
  if (all.length === 0) throw new LatheError('grid figure: no points to draw')
  for (const { label, points } of lines)
    if (points.length === 0) throw new LatheError(`grid figure: ${label} has no points`)
  const [least, most] = extent(all.map(({ factor }) => factor))
  const [fastest, slowest] = extent(all.map(({ picosecondsPerFlop }) => picosecondsPerFlop))
  const colour = (i: number) => lineColours[i % lineColours.length]!
  const cliffs = all.filter(({ cliff }) => cliff !== undefined)
  return drawFigure({
    description: describe(base, lines),
    x: {
      label: `size, as a multiple of that of ${base}`,
      type: 'log',
      domain: [least, most],
      ticks: powersOf(4, least, most),
      tickFormat: (factor) => (factor < 1 ? `1/${Math.round(1 / factor)}` : String(factor)),
      inset: 14,
    },
    y: {
      label: 'picoseconds per FLOP',
      type: 'log',
      domain: [fastest / 1.5, slowest * 1.5],
      ticks: powersOf(2, fastest / 1.5, slowest * 1.5),
      tickFormat: (y) => String(Number(y.toPrecision(3))),
    },
    marks: [
      Plot.ruleX([1], { stroke: ink, strokeOpacity: 0.35, strokeDasharray: '1,3' }),
      lines.map(({ points }, i) => {
        const xy = { x: 'factor', y: 'picosecondsPerFlop' }
        return [
          Plot.line(points, { ...xy, stroke: colour(i), strokeWidth: 2 }),
          Plot.dot(points, { ...xy, fill: colour(i), r: 2.75 }),
        ]
      }),
      Plot.dot(cliffs, { x: 'factor', y: 'picosecondsPerFlop', stroke: ink, strokeWidth: 1.5, r: 6.5 }),
      Plot.text(cliffs, { x: 'factor', y: 'picosecondsPerFlop', text: 'cliff', dy: -13, fill: ink }),
    ],
    labels: lines.map(({ label, points }, i) => ({
      y: points.at(-1)!.picosecondsPerFlop,
      text: label,
      colour: colour(i),
    })),
  })
}

const extent = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)]

function powersOf(base: number, low: number, high: number): number[] {
  const exponent = (value: number) => Math.log2(value) / Math.log2(base)
  const first = Math.ceil(exponent(low) - 1e-9)
  const count = Math.max(0, Math.floor(exponent(high) + 1e-9) - first + 1)
  return Array.from({ length: count }, (_, i) => base ** (first + i))
}

function describe(base: string, lines: readonly GridLine[]): string {
  const texts = lines.map(({ label, points }) => {
    const [low, high] = extent(points.map(({ picosecondsPerFlop }) => picosecondsPerFlop))
    return `${label}: ${low.toPrecision(2)} to ${high.toPrecision(2)}`
  })
  const cliffs = lines.flatMap(({ points }) => points.flatMap(({ cliff }) => cliff ?? []))
  const named = cliffs.length > 0 ? `Cliffs: ${cliffs.join(', ')}` : 'No cliff'
  return `Picoseconds per FLOP at sizes around ${base}. ${texts.join('. ')}. ${named}.`
}
