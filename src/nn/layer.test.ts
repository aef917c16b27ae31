import { describe, expect, it } from 'vitest'
import { compileForward } from '../compile/index.ts'
import { drawAll, f32, relativeError } from '../executor/conformance/data.ts'
import { dataOf, runProgram } from '../executor/conformance/step.ts'
import { referenceExecutor } from '../executor/reference/index.ts'
import { type Graph, input, output, trace } from '../graph/graph.ts'
import { feedForward, type LayerSettings, layer, type Sequence, selfAttention } from './layer.ts'

const base: LayerSettings = {
  dModel: 6,
  nHeads: 2,
  dHead: 4,
  dHeadValue: 3,
  dFf: 5,
  norm: 'rms',
  normEps: 1e-5,
  bias: false,
  activation: 'gelu',
  positions: 'rope',
  ropeBase: 100,
  attention: 'causal',
  attentionScale: 0.5,
}

const x = () => input('x', [4, 6])
const shapes = (graph: Graph) =>
  Object.fromEntries([...graph.sources].filter(([name]) => name !== 'x').map(([name, t]) => [name, t.shape]))
const attributesOf = (fn: () => void, op: string) => trace('t', fn).scope.nodes.find((n) => n.op === op)?.attributes

async function run(settings: Partial<LayerSettings>, x: number[], sequence?: () => Sequence, inputs = {}) {
  const graph = trace('t', () => output('y', layer('l', input('x', [4, 6]), { ...base, ...settings }, sequence?.())))
  const { main } = compileForward(graph)
  const parameters = dataOf(drawAll(Object.fromEntries(main.parameters.map((p) => [p.name, f32(p.shape)])), 'layer'))
  const { outputs } = await runProgram(referenceExecutor(), main, {
    count: 1,
    parameters,
    inputs: { x: Float32Array.from(x), ...inputs },
  })
  return outputs.y as Float32Array
}
const some = Array.from({ length: 24 }, (_, i) => Math.sin(i * i))

describe('selfAttention', () => {
  it('has four maps, of the widths of keys and of values', () => {
    expect(shapes(trace('t', () => selfAttention('a', x(), base, {})))).toEqual({
      'a.q_proj.weight': [8, 6],
      'a.k_proj.weight': [8, 6],
      'a.v_proj.weight': [6, 6],
      'a.o_proj.weight': [6, 6],
    })
    const biased = shapes(trace('t', () => selfAttention('a', x(), { ...base, bias: true }, {})))
    expect(biased).toMatchObject({
      'a.q_proj.bias': [8],
      'a.k_proj.bias': [8],
      'a.v_proj.bias': [6],
      'a.o_proj.bias': [6],
    })
  })

  it.each<[Partial<LayerSettings>, object, object | undefined]>([
    [{}, { nHeads: 2, causal: true, scale: 0.5 }, { base: 100, rows: 4 }],
    [{ attention: 'bidirectional' }, { causal: false }, { base: 100 }],
    [{ positions: 'none' }, { causal: true }, undefined],
    [{ positions: 'learned' }, { causal: true }, undefined],
  ])('hands %o to the ops', (settings, attention, rope) => {
    const attended = () => selfAttention('a', x(), { ...base, ...settings }, {})
    expect(attributesOf(attended, 'attention')).toMatchObject(attention)
    const table = attributesOf(attended, 'ropeTable')
    rope ? expect(table).toMatchObject(rope) : expect(table).toBeUndefined()
  })

  it('passes positions and segments on', () => {
    const i32 = (name: string) => input(name, [4], 'i32')
    const attended = () => selfAttention('a', x(), base, { positions: i32('positions'), segments: i32('segments') })
    expect(attributesOf(attended, 'attention')).toMatchObject({ segments: true })
    expect(attributesOf(attended, 'ropeTable')).toMatchObject({ positions: true })
  })
})

describe('feedForward', () => {
  it.each(['gelu', 'relu'] as const)('is down(%s(up x))', (activation) => {
    const graph = trace('t', () => feedForward('m', x(), { ...base, activation }))
    expect(shapes(graph)).toEqual({ 'm.up_proj.weight': [5, 6], 'm.down_proj.weight': [6, 5] })
    expect(graph.scope.nodes.map((n) => n.op).filter((op) => op !== 'parameter' && op !== 'input')).toEqual([
      'matmul',
      activation,
      'matmul',
    ])
  })

  it('has a gate for SwiGLU', () => {
    const graph = trace('t', () => feedForward('m', x(), { ...base, activation: 'swiglu', bias: true }))
    expect(shapes(graph)).toEqual({
      'm.up_proj.weight': [5, 6],
      'm.up_proj.bias': [5],
      'm.gate_proj.weight': [5, 6],
      'm.gate_proj.bias': [5],
      'm.down_proj.weight': [6, 5],
      'm.down_proj.bias': [6],
    })
  })
})

describe('layer', () => {
  it('has norms before each part, by the names of Hugging Face', () => {
    expect(Object.keys(shapes(trace('t', () => layer('model.layers.0', x(), base)))).sort()).toEqual(
      [
        'input_layernorm.weight',
        'mlp.down_proj.weight',
        'mlp.up_proj.weight',
        'post_attention_layernorm.weight',
        'self_attn.k_proj.weight',
        'self_attn.o_proj.weight',
        'self_attn.q_proj.weight',
        'self_attn.v_proj.weight',
      ].map((name) => `model.layers.0.${name}`),
    )
  })

  it('adds to x: where both parts give nothing, x comes out', async () => {
    const graph = trace('t', () => output('y', layer('l', x(), base)))
    const { main } = compileForward(graph)
    const parameters = Object.fromEntries(
      main.parameters.map((p) => [p.name, new Float32Array(p.shape.reduce((a, b) => a * b))]),
    )
    const inputs = { x: Float32Array.from(some) }
    expect((await runProgram(referenceExecutor(), main, { count: 1, parameters, inputs })).outputs.y).toEqual(inputs.x)
  })

  it('does not look ahead when causal, and does when bidirectional', async () => {
    const changed = some.map((v, i) => (i < 18 ? v : -v)) // the last position alone
    const early = async (attention: LayerSettings['attention'], x: number[]) =>
      (await run({ attention }, x)).slice(0, 18)
    expect(await early('causal', changed)).toEqual(await early('causal', some))
    expect(await early('bidirectional', changed)).not.toEqual(await early('bidirectional', some))
  })

  it('without positions does not know an order, with rope it does', async () => {
    const swapped = [...some.slice(6, 12), ...some.slice(0, 6), ...some.slice(12)]
    const last = async (positions: LayerSettings['positions'], x: number[]) => (await run({ positions }, x)).slice(18)
    expect(relativeError(await last('none', swapped), await last('none', some))).toBeLessThan(1e-6)
    expect(relativeError(await last('rope', swapped), await last('rope', some))).toBeGreaterThan(1e-3)
  })

  it('keeps segments apart', async () => {
    const segments = () => ({ segments: input('segments', [4], 'i32') })
    const ids = { segments: Int32Array.of(0, 0, 1, 1) }
    const changed = some.map((v, i) => (i < 12 ? -v : v))
    const late = async (x: number[]) => (await run({}, x, segments, ids)).slice(12)
    expect(await late(changed)).toEqual(await late(some))
  })
})
