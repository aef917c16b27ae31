import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { LoopPlan } from './loop-plan.ts'

const part = fc.record({ layers: fc.integer({ min: 1, max: 12 }), loops: fc.integer({ min: 1, max: 12 }) })
const parts = fc.array(part, { minLength: 1, maxLength: 6 })
const write = (segments: { layers: number; loops: number }[]) =>
  segments.map(({ layers, loops }) => (loops === 1 ? `${layers}` : `${layers}x${loops}`)).join(',')
const plans = parts.map((segments) => LoopPlan.parse(write(segments)))

function errorOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof LatheError) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parse', () => {
  it.each([
    ['12', 12, 12, false],
    ['1x12', 1, 12, true],
    ['4,4x4,4', 12, 24, true],
    ['3x2', 3, 6, true],
    ['4096', 4096, 4096, false],
    ['1x4096', 1, 4096, true],
  ])('%s has %i distinct layers and depth %i', (text, distinct, depth, looped) => {
    const plan = LoopPlan.parse(text)
    expect(plan.distinctLayers).toBe(distinct)
    expect(plan.effectiveDepth).toBe(depth)
    expect(plan.kvSlots).toBe(depth)
    expect(plan.isLooped).toBe(looped)
    expect(`${plan}`).toBe(text)
  })

  it('reads 1x1 as 1', () => {
    expect(LoopPlan.parse('1x1').segments).toEqual(LoopPlan.parse('1').segments)
    expect(JSON.stringify({ plan: LoopPlan.parse('2,1x1') })).toBe('{"plan":"2,1"}')
  })

  it('says where every segment begins', () => {
    expect(LoopPlan.parse('4,2x3,5').segments).toEqual([
      { layers: 4, loops: 1, firstLayer: 0, firstEffective: 0 },
      { layers: 2, loops: 3, firstLayer: 4, firstEffective: 4 },
      { layers: 5, loops: 1, firstLayer: 6, firstEffective: 10 },
    ])
  })

  it.each([
    ['', 'plan is empty: write layers or layers x loops, such as 12, 1x12 or 4,4x4,4'],
    ['4x', 'segment 1, "4x", has no loop count after the x: write 4x2'],
    ['0x3', 'segment 1, "0x3", has 0 layers: write at least 1'],
    ['4,3x0', 'segment 2, "3x0", has 0 loops: write at least 1'],
    ['1x-2', 'segment 1, "1x-2", is not layers or layers x loops in whole numbers'],
    ['a', 'segment 1, "a", is not'],
    ['x3', 'segment 1, "x3", is not'],
    ['1.5', 'segment 1, "1.5", is not'],
    ['2x3x4', 'segment 1, "2x3x4", is not'],
    ['1X4', 'segment 1, "1X4", is not'],
    ['4,,4', 'segment 2 is empty'],
    ['4,', 'segment 2 is empty'],
    [' 1 x 2', 'segment 1, " 1 x 2", holds a space'],
    ['1\n', 'segment 1, "1\\n", holds a space'],
    ['01', 'segment 1, "01", starts a number with 0: write 1'],
    ['1x012', 'segment 1, "1x012", starts a number with 0: write 12'],
    ['(1x2)x3', '(…)xN is reserved for nested loops'],
    ['4,(1x2', '(…)xN is reserved for nested loops'],
    ['4097', 'segment 1, "4097", has too many layers: write at most 4096'],
    ['1x99999999999999999999', 'has too many loops: write at most 4096'],
    ['64x65', 'plan "64x65" has 4160 effective layers: write at most 4096'],
  ])('refuses %j', (text, message) => {
    const error = errorOf(() => LoopPlan.parse(text))
    expect(error).toContain(message)
    expect(error).not.toContain('\n')
  })

  it('throws nothing but one-line LatheErrors, whatever is typed', () => {
    const near = fc.string({ unit: fc.constantFrom(...'0123456789x,() -\n'), maxLength: 12 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        try {
          expect(LoopPlan.parse(text).effectiveDepth).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(LatheError)
          expect((error as Error).message).not.toMatch(/[\r\n]/)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(parts, (segments) => {
        const plan = LoopPlan.parse(segments.map(({ layers, loops }) => `${layers}x${loops}`).join(','))
        expect(plan.toString()).toBe(write(segments))
        expect(LoopPlan.parse(plan.toString()).segments).toEqual(plan.segments)
      }),
    )
  })
})

describe('layers', () => {
  it('ties the layers of a middle loop', () => {
    const plan = LoopPlan.parse('1,2x3,1')
    expect(Array.from({ length: 8 }, (_, layer) => plan.weightLayer(layer))).toEqual([0, 1, 2, 1, 2, 1, 2, 3])
    expect(plan.loopOf(0)).toEqual({ segment: 0, loop: 0 })
    expect(plan.loopOf(4)).toEqual({ segment: 1, loop: 1 })
    expect(plan.loopOf(7)).toEqual({ segment: 2, loop: 0 })
  })

  it('ties effective layer ℓ of k⊗L to ℓ mod k', () => {
    fc.assert(
      fc.property(part, ({ layers, loops }) => {
        const plan = LoopPlan.parse(`${layers}x${loops}`)
        for (let layer = 0; layer < layers * loops; layer++) expect(plan.weightLayer(layer)).toBe(layer % layers)
      }),
    )
  })

  it('counts sums over segments, and uses every distinct layer as often as its segment loops', () => {
    fc.assert(
      fc.property(parts, (segments) => {
        const plan = LoopPlan.parse(write(segments))
        expect(plan.distinctLayers).toBe(segments.reduce((sum, { layers }) => sum + layers, 0))
        expect(plan.effectiveDepth).toBe(segments.reduce((sum, { layers, loops }) => sum + layers * loops, 0))
        const uses = new Array<number>(plan.distinctLayers).fill(0)
        for (let layer = 0; layer < plan.effectiveDepth; layer++) {
          const { segment, loop } = plan.loopOf(layer)
          const { layers, loops, firstLayer, firstEffective } = plan.segments[segment]!
          expect(loop).toBeLessThan(loops)
          expect(layer).toBe(firstEffective + loop * layers + plan.weightLayer(layer) - firstLayer)
          uses[plan.weightLayer(layer)]!++
        }
        expect(uses).toEqual(segments.flatMap(({ layers, loops }) => new Array<number>(layers).fill(loops)))
      }),
    )
  })

  it.each([-1, 8, 0.5, Number.NaN])('has no effective layer %d', (layer) => {
    const plan = LoopPlan.parse('1,2x3,1')
    expect(() => plan.weightLayer(layer)).toThrow(RangeError)
    expect(() => plan.loopOf(layer)).toThrow('effective layers 0 to 7')
  })
})

describe('baselines', () => {
  it.each([
    ['4,4x4,4', '12', '24'],
    ['1x12', '1', '12'],
    ['6', '6', '6'],
  ])('of %s are %s and %s', (text, isoParameter, isoFlop) => {
    const plan = LoopPlan.parse(text)
    expect(`${plan.isoParameter()}`).toBe(isoParameter)
    expect(`${plan.isoFlop()}`).toBe(isoFlop)
  })

  it('keep the layers and the depth, and loop nothing', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(plan.isoParameter().distinctLayers).toBe(plan.distinctLayers)
        expect(plan.isoFlop().effectiveDepth).toBe(plan.effectiveDepth)
        expect(plan.isoParameter().isLooped || plan.isoFlop().isLooped).toBe(false)
      }),
    )
  })
})

describe('withLoops', () => {
  it.each([
    ['1x4', 8, '1x8'],
    ['1x4', 1, '1'],
    ['1', 4, '1x4'],
    ['4,4x4,4', 2, '4,4x2,4'],
    ['4,4x4,4', { 2: 8 }, '4,4x8,4'],
    ['4,4x4,4', { 1: 2, 3: 3 }, '4x2,4x4,4x3'],
    ['1x2,3x4', { 1: 5, 2: 6 }, '1x5,3x6'],
    ['1x2', {}, '1x2'],
  ])('of %s with %j is %s', (text, loops, result) => {
    const plan = LoopPlan.parse(text)
    expect(`${plan.withLoops(loops)}`).toBe(result)
    expect(`${plan}`).toBe(text)
  })

  it.each([
    ['1x2,3x4', 8, 'plan 1x2,3x4 has 2 looped segments: name the segment, such as 1:8'],
    ['1,3x4,2x2', 8, 'name the segment, such as 2:8'],
    ['1,2', 8, 'plan 1,2 has no looped segment: name the segment, such as 1:8'],
    ['1x2', { 2: 8 }, 'plan 1x2 has no segment 2: name one from 1 to 1'],
    ['1x2', { 0: 8 }, 'has no segment 0'],
    ['1x2', 0, 'plan 1x2: cannot loop segment 1 0 times: loops are whole numbers from 1'],
    ['1x2', 1.5, 'cannot loop segment 1 1.5 times'],
    ['1x2', { 1: Number.NaN }, 'cannot loop segment 1 NaN times'],
    ['1x2', 5000, 'has 5000 effective layers: write at most 4096'],
  ])('refuses %s with %j', (text, loops, message) => {
    expect(errorOf(() => LoopPlan.parse(text).withLoops(loops))).toContain(message)
  })

  it('changes the depth and never the distinct layers', () => {
    fc.assert(
      fc.property(parts, fc.nat(), fc.integer({ min: 1, max: 20 }), (segments, pick, loops) => {
        const i = pick % segments.length
        const plan = LoopPlan.parse(write(segments)).withLoops({ [i + 1]: loops })
        expect(plan.segments.map(({ layers, loops }) => ({ layers, loops }))).toEqual(
          segments.with(i, { ...segments[i]!, loops }),
        )
      }),
    )
  })
})
