import { describe, expect, it } from 'vitest'
import { compileForward } from '../compile/index.ts'
import { f32 } from '../executor/conformance/data.ts'
import { refusal, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { input, output, trace } from '../graph/graph.ts'
import { linear, type NormSettings, normalize } from './linear.ts'

describe('linear', () => {
  it('is x Wᵀ + b, with weights as files have them', async () => {
    const graph = trace('t', () => output('y', linear('map', input('x', [2, 2]), 3, true)))
    expect([...graph.sources.keys()]).toEqual(['x', 'map.weight', 'map.bias'])
    expect(graph.sources.get('map.weight')!.shape).toEqual([3, 2])
    const { outputs } = await runProgram(referenceExecutor(), compileForward(graph).main, {
      count: 1,
      parameters: { 'map.weight': Float32Array.of(1, 0, 0, 1, 1, 1), 'map.bias': Float32Array.of(0, 10, 20) },
      inputs: { x: Float32Array.of(1, 2, 3, 4) },
    })
    expect([...outputs.y]).toEqual([1, 12, 23, 3, 14, 27])
  })

  it('has no bias unless it is asked for', () => {
    const graph = trace('t', () => linear('map', input('x', [2, 2]), 3))
    expect([...graph.sources.keys()]).toEqual(['x', 'map.weight'])
  })

  it('refuses one name for two widths', () => {
    expect(refusal(() => [3, 4].map((out) => linear('map', input('x', [2, 2]), out)))).toBe(
      'refused: parameter map.weight is f32[4, 2] here, but parameter f32[3, 2] elsewhere',
    )
  })
})

describe('normalize', () => {
  const sources = (settings: Omit<NormSettings, 'normEps'>) =>
    trace('t', () => normalize('n', input('x', f32([2, 3]).shape), { normEps: 1e-5, ...settings })).sources

  it.each([
    ['rms', false, ['n.weight']],
    ['rms', true, ['n.weight']],
    ['layer', false, ['n.weight']],
    ['layer', true, ['n.bias', 'n.weight']],
    ['none', true, []],
  ] as const)('%s with biases %s has %j', (norm, bias, names) => {
    const all = sources({ norm, bias })
    expect([...all.keys()].filter((name) => name !== 'x').sort()).toEqual(names)
    for (const name of names) expect(all.get(name)!.shape).toEqual([3])
  })

  it('passes x on where there is no norm', () => {
    trace('t', () => {
      const x = input('x', [2, 3])
      expect(normalize('n', x, { norm: 'none', normEps: 1e-5, bias: true })).toBe(x)
    })
  })

  it('hands its eps to the op', () => {
    trace('t', () => {
      const { node } = normalize('n', input('x', [2, 3]), { norm: 'layer', normEps: 0.25, bias: false })
      expect(node).toMatchObject({ op: 'norm', attributes: { kind: 'layer', eps: 0.25 } })
    })
  })
})
