/**
 * What every figure shares: page, palette, axes, and labels that stand at the end of their line and never overlap.
 * @module
 */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { LatheError } from '../settings/error.ts'
import { escapeHtml } from './markup.ts'

/** Colours that stay apart for every kind of colour vision (Okabe and Ito 2008); the yellow is too pale for lines. */
export const lineColours = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'] as const
export const ink = '#24292f'
export const muted = '#6b7280'
const grid = '#e5e7eb'
const paper = '#ffffff'

/** A label beside the right end of the frame, at the height of the value `y`. */
export interface EndLabel {
  y: number
  text: string
  value?: string
  colour: string
}

/** A scale and its axis. */
export interface FigureAxis {
  label: string
  domain: readonly [number, number]
  /** Places, or about how many. */
  ticks: readonly number[] | number
  tickFormat: (value: number) => string
  type?: 'linear' | 'log'
  nice?: boolean
  inset?: number
}

export interface FigureOptions {
  /** What the picture shows, for readers who cannot see it. */
  description: string
  x: FigureAxis
  y: FigureAxis
  marks: readonly Plot.Markish[]
  labels: readonly EndLabel[]
}

/** The axis of accuracies. */
export const accuracyAxis: FigureAxis = {
  label: 'accuracy',
  domain: [0, 1],
  ticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
  tickFormat: (y) => `${Math.round(100 * y)} %`,
}

const size = { width: 640, height: 350, marginTop: 56, marginBottom: 52, marginLeft: 58 }
const lineHeight = 16
const leader = 22
const characterWidth = 7

/** Draws a figure as a self-contained SVG: own background, no style sheet, no ids, coordinates to a hundredth. */
export function drawFigure({ description, x, y, marks, labels }: FigureOptions): string {
  const { document } = parseHTML('<html></html>')
  const longest = Math.max(0, ...labels.map(({ text, value = '' }) => text.length + value.length + 1))
  const svg = Plot.plot({
    document,
    ...size,
    marginRight: Math.ceil(leader + characterWidth * longest + 8),
    x: { ...x, axis: null },
    y: { ...y, axis: null },
    marks: [
      Plot.gridY({ ticks: y.ticks, stroke: grid, strokeOpacity: 1 }),
      Plot.ruleY([y.domain[0]], { stroke: muted }),
      axis(Plot.axisX, x),
      axis(Plot.axisY, y),
      Plot.text([x.label], { frameAnchor: 'bottom', dy: 40, fill: muted }),
      Plot.text([y.label], { frameAnchor: 'top-left', dx: 16 - size.marginLeft, dy: -42, fill: muted }),
      ...marks,
      endLabels(labels),
    ],
  })
  svg.removeAttribute('class')
  svg.querySelector('style').remove()
  svg.setAttribute('xmlns', svgNamespace)
  svg.setAttribute('style', `max-width:100%;height:auto;color:${ink}`)
  svg.setAttribute('font-size', '11.5')
  svg.prepend(element(document, 'rect', { width: size.width, height: size.height, rx: 6, fill: paper }))
  for (const node of [svg, ...svg.querySelectorAll('*')]) roundAttributes(node)
  // linkedom does not escape < and & in attributes
  return `<svg role="img" aria-label="${escapeHtml(description)}"${svg.outerHTML.slice('<svg'.length)}\n`
}

function axis(mark: typeof Plot.axisX, { ticks, tickFormat }: FigureAxis): Plot.Markish {
  return mark({ ticks, tickFormat, tickSize: 0, tickPadding: 8, label: null, color: muted })
}

/** Refuses what is not a fraction, so that 98 is never drawn for 0.98. */
export function checkFraction(value: number, where: string): number {
  if (value >= 0 && value <= 1) return value
  throw new LatheError(`${where}: accuracy must be a fraction from 0 to 1, got ${value}`)
}

/**
 * Moves values apart until neighbours are `gap` apart and all lie within [low, high] if there is room, with the least sum
 * of squared shifts (pool adjacent violators). The order of equal values is kept.
 */
export function spread(values: readonly number[], gap: number, low: number, high: number): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b)
  const pools: { sum: number; count: number }[] = []
  order.forEach((index, rank) => {
    pools.push({ sum: values[index]! - rank * gap, count: 1 })
    while (pools.length > 1 && mean(pools.at(-2)!) > mean(pools.at(-1)!)) {
      const last = pools.pop()!
      pools.at(-1)!.sum += last.sum
      pools.at(-1)!.count += last.count
    }
  })
  const highest = high - (values.length - 1) * gap
  const places = pools.flatMap((pool) => Array<number>(pool.count).fill(Math.max(low, Math.min(highest, mean(pool)))))
  const result = Array<number>(values.length)
  order.forEach((index, rank) => {
    result[index] = places[rank]! + rank * gap
  })
  return result
}

const mean = (pool: { sum: number; count: number }) => pool.sum / pool.count

/** A mark that writes the labels, each tied to its value by a thin line. */
function endLabels(labels: readonly EndLabel[]): Plot.RenderFunction {
  return (_index, scales, _values, dimensions, { document }) => {
    const { width, height, marginTop, marginRight, marginBottom } = dimensions
    const x = width - marginRight
    const from = labels.map((label) => scales.y!(label.y) as number)
    const to = spread(from, lineHeight, marginTop - lineHeight / 2, height - marginBottom)
    const group = element(document, 'g', { 'text-anchor': 'start' })
    labels.forEach(({ text, value, colour }, i) => {
      const d = `M${x + 6},${from[i]}L${x + leader - 4},${to[i]}`
      const line = element(document, 'text', { x: x + leader, y: to[i]!, dy: '0.35em', fill: darker(colour) })
      line.append(element(document, 'tspan', { 'font-weight': 600 }, text), value ? ` ${value}` : '')
      group.append(element(document, 'path', { d, stroke: colour, fill: 'none', 'stroke-opacity': 0.6 }), line)
    })
    return group
  }
}

/** The same hue, dark enough for text on white. */
function darker(colour: string): string {
  return colour.replace(/[0-9a-f]{2}/gi, (hex) =>
    Math.round(0.74 * Number.parseInt(hex, 16))
      .toString(16)
      .padStart(2, '0'),
  )
}

const svgNamespace = 'http://www.w3.org/2000/svg'

/** The little of the DOM that is used here; the library of the browser's types is not loaded. */
interface SvgNode {
  textContent: string | null
  append(...nodes: (SvgNode | string)[]): void
  getAttribute(name: string): string | null
  setAttribute(name: string, value: string): void
}

interface SvgDocument {
  createElementNS(namespace: string, name: string): SvgNode
}

function element(document: SvgDocument, name: string, attributes: Record<string, string | number>, text = ''): SvgNode {
  const node = document.createElementNS(svgNamespace, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value))
  if (text) node.textContent = text
  return node
}

/** Cuts coordinates to hundredths, so that a stored picture does not depend on the last bits of a float. */
function roundAttributes(node: SvgNode): void {
  for (const name of ['d', 'transform', 'x', 'y', 'x1', 'x2', 'y1', 'y2', 'cx', 'cy', 'r']) {
    const value = node.getAttribute(name)
    if (value === null) continue
    node.setAttribute(
      name,
      value.replace(/-?\d+\.\d+/g, (number) => String(Number(Number(number).toFixed(2)))),
    )
  }
}
