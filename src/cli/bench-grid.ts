/**
 * `lathe bench --grid`: what a FLOP costs at many shapes.
 */
import {
  type ComparedPoint,
  compareNeighbours,
  type GridAxis,
  type GridPoint,
  gridAxes,
  gridBases,
  gridPlaces,
  timePoint,
} from '../bench/grid.ts'
import type { Executor } from '../executor/index.ts'
import { benchGridFigure } from '../report/bench-grid.ts'
import { type Block, legend, type Measured, sentence, table } from './bench-page.ts'
import { formatDrift, formatFlopRate, formatMs } from './bench-tables.ts'

export interface GridFlags {
  readonly executor: Executor
  readonly seed: number
  readonly seconds: number
  readonly say: (line: string) => void
}

const axisNames: Record<GridAxis, string> = { length: 'T', dModel: 'd', nHeads: 'heads', vocabulary: 'vocabulary' }
const axes = Object.keys(gridAxes) as GridAxis[]

export async function measureGrid({ say, ...options }: GridFlags): Promise<Measured> {
  const points: GridPoint[] = []
  const places = gridPlaces()
  for (const [i, place] of places.entries()) {
    say(`${i + 1}/${places.length}: ${place.base}, ${axisNames[place.axis]} ${place.value}`)
    points.push(await timePoint(place, options))
  }
  const grid = compareNeighbours(points)
  const cliffs = grid.filter(({ cliff }) => cliff)
  const named = cliffs.map((point) => `${point.base} ${nameOf(point)} (${point.ratio.toFixed(1)}× ${point.neighbour})`)
  const verdict =
    named.length > 0
      ? `Cliffs, over 3 times slower per FLOP than a neighbour: ${named.join(', ')}.`
      : 'No point is over 3 times slower per FLOP than its neighbour.'
  return {
    title: 'What a FLOP costs at many shapes',
    json: { grid },
    blocks: [
      legend(
        'Forward, backward and the sum of the gradients, of batches of about as many FLOPs. Beside neighbour: the time of a FLOP ' +
          'over that of the faster neighbour on the axis. Noisy: the two halves of the runs differ by over 5 %.',
      ),
      ...gridBases.map((base) =>
        gridTable(
          base,
          grid.filter((point) => point.base === base),
        ),
      ),
      ...gridBases.map((base) => gridPicture(base, grid)),
      sentence(verdict),
    ],
  }
}

const nameOf = ({ axis, value }: GridPoint) => `${axisNames[axis]} ${value}`

function gridTable(base: string, points: readonly ComparedPoint[]): Block {
  const rows = points.map((point) => ({ ...point, shape: nameOf(point), rate: 1e12 / point.picosecondsPerFlop }))
  return table(
    [
      { key: 'shape', title: `${base} with` },
      { key: 'batch', title: 'batch', align: 'right' },
      { key: 'milliseconds', title: 'time', align: 'right', format: formatMs },
      { key: 'rate', title: 'rate', align: 'right', format: formatFlopRate },
      { key: 'ratio', title: 'beside neighbour', align: 'right', format: (ratio: number) => `${ratio.toFixed(2)}×` },
      { key: 'drift', title: 'machine', format: formatDrift },
      { key: 'cliff', title: '', format: (cliff: boolean) => (cliff ? 'cliff' : '') },
    ],
    rows,
  )
}

function gridPicture(base: string, grid: readonly ComparedPoint[]): Block {
  const lines = axes.map((axis) => ({
    label: axisNames[axis],
    points: grid
      .filter((point) => point.base === base && point.axis === axis)
      .map((point) => ({
        factor: point.value / point.baseValue,
        picosecondsPerFlop: point.picosecondsPerFlop,
        ...(point.cliff && { cliff: nameOf(point) }),
      })),
  }))
  const caption = `Picoseconds per FLOP around ${base}, one size changed at a time`
  return { figure: { name: base, caption, svg: benchGridFigure({ base, lines }) } }
}
