import * as Plot from '@observablehq/plot'
import { LoopPlan } from '../plan/index.ts'
import { accuracyAxis, drawFigure, lineColours, muted } from '../report/figure.ts'
import { formatPercent } from '../report/format.ts'
import type { Summary } from './summary.ts'

interface Line {
  readonly label: string
  readonly points: readonly { depth: number; value: number; plan: string }[]
}

/** A column of a table against effective depth as SVG: plain plans as one line, every looped block from its own depth on. */
export function depthFigure(summary: Summary, title: string): string {
  const { table, levels } = summary
  const lines = linesOf(summary, title).map((line, i) => ({ ...line, colour: lineColours[i % lineColours.length] }))
  const depths = [...new Set(lines.flatMap(({ points }) => points.map(({ depth }) => depth)))].sort((a, b) => a - b)
  const chance = table.measure === 'error' ? 1 - levels[title].chance : levels[title].chance
  const xy = { x: 'depth', y: 'value' }
  return drawFigure({
    description: describe(table.measure, lines),
    x: {
      label: 'effective depth',
      type: 'log',
      domain: [depths[0] / 1.1, depths.at(-1)! * 1.1],
      ticks: depths,
      tickFormat: String,
    },
    y: { ...accuracyAxis, label: table.measure },
    marks: [
      Plot.ruleY([chance], { stroke: muted, strokeDasharray: '4,4' }),
      lines.map(({ points, colour }) => [
        Plot.line(points, { ...xy, stroke: colour, strokeWidth: 2.25 }),
        Plot.dot(points, { ...xy, fill: colour, r: 3.5 }),
      ]),
    ],
    labels: [
      ...lines.map(({ label, points, colour }) => {
        const { value } = points.at(-1)!
        return { y: value, text: label, value: formatPercent(value), colour }
      }),
      { y: chance, text: 'chance', value: formatPercent(chance), colour: muted },
    ],
  })
}

function linesOf({ rows }: Summary, title: string): Line[] {
  const points = rows.flatMap(({ plan, effectiveDepth, cells }) => {
    const cell = cells[title]
    return cell
      ? [{ plan, depth: effectiveDepth, value: cell.mean, block: LoopPlan.parse(plan).isoParameter().toString() }]
      : []
  })
  points.sort((a, b) => a.depth - b.depth)
  const looped = points.filter(({ plan }) => LoopPlan.parse(plan).isLooped)
  const blocks = [...new Set(looped.map(({ block }) => block))]
  return [
    { label: 'no loop', points: points.filter((point) => !looped.includes(point)) },
    ...blocks.map((block) => ({
      label: `${block} looped`,
      points: points.filter((point) => point.block === block && (looped.includes(point) || point.plan === block)),
    })),
  ].filter((line) => line.points.length > 0)
}

function describe(measure: string, lines: readonly Line[]): string {
  const texts = lines.map(({ label, points }) => {
    return `${label}: ${points.map(({ plan, value }) => `${plan} ${formatPercent(value)}`).join(', ')}`
  })
  return `${measure} against effective depth. ${texts.join('. ')}.`
}
