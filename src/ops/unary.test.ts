import { describe, expect, it } from 'vitest'
import { f32 } from '../executor/conformance/data.ts'
import { evaluate, refusal } from '../executor/conformance/step.ts'
import { input } from '../graph/graph.ts'
import { ops, type UnaryName, unary } from './index.ts'
import { unaryFunctions } from './unary.ts'

async function values(name: UnaryName, xs: number[]): Promise<number[]> {
  const { y } = await evaluate({ x: f32([xs.length], xs) }, ({ x }) => ({ y: unary(name, x) }))
  return [...y]
}

describe('unary', () => {
  // Values of gelu (tanh form), silu and softplus: PyTorch's documentation formulas in 30 digits.
  it.each([
    ['neg', [-2, 0.5], [2, -0.5]],
    ['exp', [0, 1, -1], [1, Math.E, 1 / Math.E]],
    ['log', [1, Math.E, 0], [0, 1, Number.NEGATIVE_INFINITY]],
    ['sqrt', [0, 4, 2], [0, 2, Math.SQRT2]],
    ['reciprocal', [4, -0.5], [0.25, -2]],
    ['square', [-3, 0.5], [9, 0.25]],
    ['abs', [-3, 0, 2], [3, 0, 2]],
    ['relu', [-3, 0, 2], [0, 0, 2]],
    ['step', [-3, 0, 2], [0, 0, 1]],
    ['sigmoid', [0, 1, -100, 100], [0.5, 0.7310585786300049, 0, 1]],
    ['silu', [0, 1, -2], [0, 0.7310585786300049, -0.23840584404423515]],
    ['softplus', [0, 1, 100, -100], [Math.LN2, 1.3132616875182228, 100, 0]],
    ['tanh', [0, 1, -100], [0, 0.7615941559557649, -1]],
    ['gelu', [0, 1, -1, 3, -30], [0, 0.8411919906082768, -0.15880800939172324, 2.996362607918227, 0]],
  ] as [UnaryName, number[], number[]][])('%s', async (name, xs, ys) => {
    const got = await values(name, xs)
    ys.forEach((y, i) => {
      if (Number.isFinite(y)) expect(got[i]).toBeCloseTo(y, 6)
      else expect(got[i]).toBe(y)
    })
  })

  it.each(['gelu', 'silu'] as const)('%s has its slope as a second output where the gradient asks for it', (name) => {
    const xs = [-1e4, -4, -1.5, -0.3, 0, 0.7, 2, 6, 1e4]
    const slopes = new Float32Array(xs.length)
    const values = (data: Float32Array) => ({ shape: [xs.length], dtype: 'f32' as const, data })
    const y = new Float32Array(xs.length)
    ops
      .get(name)!
      .kernel([values(Float32Array.from(xs))], [values(y), values(slopes)], {}, { operand: (x) => x as Float32Array })
    const { f } = unaryFunctions[name]
    xs.forEach((x, i) => {
      expect(y[i]).toBeCloseTo(f(x), 6)
      expect(slopes[i]).toBeCloseTo((f(x + 1e-5) - f(x - 1e-5)) / 2e-5, 6)
    })
  })

  it('passes NaN on, whatever the function', async () => {
    for (const name of Object.keys(unaryFunctions) as UnaryName[])
      expect(await values(name, [Number.NaN]), name).toEqual([Number.NaN])
  })

  it('stays finite far from zero', async () => {
    for (const name of ['sigmoid', 'silu', 'softplus', 'tanh', 'gelu'] as const)
      for (const y of await values(name, [-1e4, 1e4])) expect(y, name).toSatisfy(Number.isFinite)
  })

  it('keeps any shape', async () => {
    const { y } = await evaluate({ x: f32([2, 1, 2], [1, 2, 3, 4]) }, ({ x }) => {
      const y = unary('square', x)
      expect(y.shape).toEqual([2, 1, 2])
      return { y }
    })
    expect([...y]).toEqual([1, 4, 9, 16])
  })

  it('is in the op set under every name', () => {
    for (const name of Object.keys(unaryFunctions)) expect(ops.get(name)).toMatchObject({ name, elementwise: true })
  })

  it('refuses integers', () => {
    expect(refusal(() => unary('exp', input('n', [2], 'i32')))).toBe('exp got i32[2]; it takes an f32 tensor')
  })
})
