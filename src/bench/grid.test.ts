import { describe, expect, it } from 'vitest'
import { chooseExecutor } from '../executor/index.ts'
import { compareNeighbours, type GridPoint, gridPlaces, sizesAt, timePoint } from './grid.ts'

const point = (value: number, picosecondsPerFlop: number, rest: Partial<GridPoint> = {}): GridPoint => ({
  base: 'S',
  axis: 'length',
  value,
  baseValue: 256,
  batch: 2,
  milliseconds: 1,
  picosecondsPerFlop,
  drift: 0,
  ...rest,
})

describe('the grid', () => {
  it('holds the base models themselves on every axis, and only sizes whose heads have a whole, even width', () => {
    const places = gridPlaces()
    for (const base of ['S', 'P'])
      expect(new Set(places.filter((p) => p.base === base && p.value === p.baseValue).map((p) => p.axis)).size).toBe(4)
    for (const place of places) {
      const { dModel, nHeads, dFf } = sizesAt(place)
      expect((dModel / nHeads) % 2).toBe(0)
      expect(dFf).toBe(4 * dModel)
    }
  })

  it('times a point with as many sequences as make the operations, the same number for each thread', async () => {
    const place = gridPlaces().find(({ axis, value }) => axis === 'length' && value === 17)!
    const executor = chooseExecutor({ precision: 'f32', threads: 2 })
    const timed = await timePoint(place, { executor, seed: 0, seconds: 0, flops: 1e7 })
    expect(timed).toMatchObject({ ...place, batch: 2 })
    expect(timed.picosecondsPerFlop).toBeGreaterThan(0)
  })

  it('compares with the faster neighbour on the same axis, and flags what takes over three times as long', () => {
    const points = [point(16, 10), point(17, 31), point(32, 10.4), point(8, 1, { axis: 'vocabulary' })]
    const others = [point(16, 1, { base: 'P' }), point(32, 1, { base: 'P' }), point(64, 1, { axis: 'vocabulary' })]
    const compared = compareNeighbours([...points, ...others])
    expect(compared[1]).toMatchObject({ neighbour: 16, ratio: 3.1, cliff: true })
    expect(compared[2]).toMatchObject({ neighbour: 17, cliff: false })
    expect(compared.filter(({ cliff }) => cliff)).toHaveLength(1)
  })
})
