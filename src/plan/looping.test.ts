import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { LoopPlan } from './loop-plan.ts'
import { asPlanned, type Looping, loopedAt, parseLoops, usualLoops } from './looping.ts'

const shown = (loopings: readonly Looping[]) => loopings.map(({ plan, loops }) => `${loops}: ${plan}`)

describe('parseLoops', () => {
  it.each([
    ['1,2,8', '1x4', ['1: 1', '2: 1x2', '8: 1x8']],
    ['3', '4,4x4,4', ['3: 4,4x3,4']],
    ['2:8', '4,4x4,4', ['8: 4,4x8,4']],
    ['2', '12', ['2: 12x2']],
    ['1:3,2:5,2', '1,2x4', ['3: 1x3,2x4', '5: 1,2x5', '2: 1,2x2']],
  ])('reads %s for the plan %s', (text, plan, expected) => {
    expect(shown(parseLoops(text, LoopPlan.parse(plan)))).toEqual(expected)
  })

  it.each([
    ['', '1x4', 'loops "": "" is no count: write counts such as 1,2,4 or segment:count such as 2:8'],
    ['1,,2', '1x4', 'loops "1,,2": "" is no count'],
    ['1, 2', '1x4', '" 2" is no count'],
    ['-1', '1x4', '"-1" is no count'],
    ['2:', '1x4', '"2:" is no count'],
    ['1.5', '1x4', '"1.5" is no count'],
    ['0', '1x4', 'cannot loop segment 1 0 times'],
    ['3:2', '1,1x4', 'has no segment 3'],
    ['2', '1x2,1x3', '2 looped segments: name the segment, such as 1:2'],
    ['5000', '1x4', 'write at most 4096'],
  ])('refuses %j for the plan %s', (text, plan, message) => {
    const parse = () => parseLoops(text, LoopPlan.parse(plan))
    expect(parse).toThrow(LatheError)
    expect(parse).toThrow(message)
  })
})

describe('usualLoops', () => {
  it.each([
    ['1x2', [1, 2, 4]],
    ['1x4', [1, 2, 4, 8]],
    ['1x6', [1, 2, 4, 6, 8, 12]],
    ['2,2x3,2', [1, 2, 3, 4, 6]],
    ['4,4x600', [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600]],
    ['12', [1]],
    ['1x2,1x3', [3]],
  ])('of %s are %j', (plan, expected) => {
    const parsed = LoopPlan.parse(plan)
    const usual = usualLoops(parsed)
    expect(usual.map(({ loops }) => loops)).toEqual(expected)
    expect(usual.map((looping) => looping.plan.toString())).toContain(plan)
    expect(usual.every((looping) => looping.plan.distinctLayers === parsed.distinctLayers)).toBe(true)
  })
})

it('a plan stands for its own loops', () => {
  expect(shown([asPlanned(LoopPlan.parse('4,4x4,4')), asPlanned(LoopPlan.parse('7'))])).toEqual(['4: 4,4x4,4', '1: 7'])
  expect(shown(loopedAt(LoopPlan.parse('1,1x2'), [3, 1]))).toEqual(['3: 1,1x3', '1: 1,1'])
})
