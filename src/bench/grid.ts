/**
 * How the cost of a FLOP depends on the shapes: a grid of factors of 2 around two models, one axis at a time.
 */
import type { Executor } from '../executor/index.ts'
import { driftOf, median, timeRuns } from './measure.ts'
import { namedSizes, type Sizes, transformerModel } from './models.ts'
import { BenchStep, drawStep } from './step.ts'

const doubled = (from: number, to: number): number[] =>
  Array.from({ length: Math.log2(to / from) + 1 }, (_, i) => from * 2 ** i)

/** Sizes that are tried along an axis: factors of 2, and some beside the sizes that kernels like. */
export const gridAxes = {
  length: [...doubled(16, 1024), 17, 33, 133],
  dModel: [...doubled(32, 1024), 96, 160],
  nHeads: doubled(1, 32),
  vocabulary: doubled(4, 32_768),
} as const
export type GridAxis = keyof typeof gridAxes
export const gridBases = ['S', 'P'] as const
export type GridBase = (typeof gridBases)[number]

export interface GridPlace {
  readonly base: GridBase
  readonly axis: GridAxis
  readonly value: number
  /** Of the axis in the base model. */
  readonly baseValue: number
}

export interface GridPoint extends GridPlace {
  /** Sequences of a run. */
  readonly batch: number
  /** Of a run: forward, backward and the sum of the gradients. The optimizer costs by parameters, not by FLOPs. */
  readonly milliseconds: number
  readonly picosecondsPerFlop: number
  readonly drift: number
}

/** A point with its neighbour on the axis that does a FLOP fastest, and how many times as long this one takes. */
export interface ComparedPoint extends GridPoint {
  readonly neighbour: number
  readonly ratio: number
  /** Whether it is a cliff. */
  readonly cliff: boolean
}

const cliffRatio = 3

/** Every point of the grid, in the order of the figure. */
export function gridPlaces(): GridPlace[] {
  const axes = Object.entries(gridAxes) as [GridAxis, readonly number[]][]
  return gridBases.flatMap((base) =>
    axes.flatMap(([axis, values]) =>
      [...values].sort((a, b) => a - b).map((value) => ({ base, axis, value, baseValue: namedSizes[base][axis] })),
    ),
  )
}

/** The sizes of the base model with one of them changed; the feed-forward part stays four times as wide as the model. */
export function sizesAt({ base, axis, value }: GridPlace): Sizes {
  const sizes = { ...namedSizes[base], [axis]: value }
  return { ...sizes, dFf: 4 * sizes.dModel }
}

export interface GridOptions {
  readonly executor: Executor
  readonly seed: number
  /** Time of a point's runs; four are the least. */
  readonly seconds: number
  /** Operations of a run, about: as many sequences as make them. Default: 2e10. */
  readonly flops?: number
}

/** Times one point. */
export async function timePoint(place: GridPlace, options: GridOptions): Promise<GridPoint> {
  const { executor, seed, seconds, flops = 2e10 } = options
  const sizes = sizesAt(place)
  const model = transformerModel(`${place.base} ${place.axis} ${place.value}`, sizes)
  const { threads } = executor
  const one = new BenchStep(model, drawStep(model, 1, seed), executor)
  const batch = threads * Math.ceil(flops / one.flops / threads)
  const step = new BenchStep(model, drawStep(model, batch, seed), executor)
  const times = await timeRuns(() => step.gradients(), { least: 4, seconds })
  const milliseconds = median(times)
  return { ...place, batch, milliseconds, picosecondsPerFlop: (1e9 * milliseconds) / step.flops, drift: driftOf(times) }
}

/** Compares every point with its neighbours on its axis. */
export function compareNeighbours(points: readonly GridPoint[]): ComparedPoint[] {
  return points.map((point) => {
    const axis = points.filter(({ base, axis }) => base === point.base && axis === point.axis)
    const at = axis.indexOf(point)
    const beside = [axis[at - 1], axis[at + 1]].filter((neighbour) => neighbour !== undefined)
    const fastest = beside.reduce((a, b) => (b.picosecondsPerFlop < a.picosecondsPerFlop ? b : a))
    const ratio = point.picosecondsPerFlop / fastest.picosecondsPerFlop
    return { ...point, neighbour: fastest.value, ratio, cliff: ratio > cliffRatio }
  })
}
