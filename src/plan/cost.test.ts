import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  forwardFlopsPerToken,
  inferenceFlopsPerToken,
  layerParameters,
  type ModelShape,
  parameters,
  trainingFlopsPerToken,
} from './cost.ts'
import { LoopPlan } from './loop-plan.ts'

function shape(given: Partial<ModelShape> & { dModel: number }): ModelShape {
  const nHeads = given.nHeads ?? 8
  const dHead = given.dHead ?? given.dModel / nHeads
  return {
    nHeads,
    dHead,
    dHeadValue: dHead,
    dFf: 4 * given.dModel,
    gated: false,
    bias: false,
    norm: 'rms',
    vocabulary: 64,
    tiedHead: false,
    finalNorm: true,
    positions: 'rope',
    maxLength: 256,
    ...given,
  }
}

describe('FLOPs', () => {
  // GFLOP of one training step of the four models that are timed against PyTorch.
  it.each([
    ['S', '4', 256, 32, 64, 168.3],
    ['L', '1x8', 256, 32, 64, 335.8],
    ['M', '6', 512, 16, 64, 484.0],
  ])('of one step of model %s', (_, plan, dModel, batch, vocabulary, gigaflops) => {
    const perToken = trainingFlopsPerToken(LoopPlan.parse(plan), shape({ dModel, vocabulary }), {
      length: 256,
      causal: true,
    })
    expect(((perToken * batch * 256) / 1e9).toFixed(1)).toBe(gigaflops.toFixed(1))
  })

  it('of one step of model P, the p-hop model of the paper', () => {
    const p = shape({ dModel: 128, vocabulary: 4 })
    const perToken = trainingFlopsPerToken(LoopPlan.parse('1x6'), p, { length: 256, causal: true })
    expect(Math.abs((perToken * 256 * 256) / 540e9 - 1)).toBeLessThan(0.005)
  })

  it('count full attention twice as much as causal, and nothing else', () => {
    const s = shape({ dModel: 32, nHeads: 2, dHead: 5, dHeadValue: 3 })
    const plan = LoopPlan.parse('2x3')
    const at = (length: number, causal: boolean) => forwardFlopsPerToken(plan, s, { length, causal })
    expect(at(10, false) - at(10, true)).toBe((6 * 2 * 10 * 2 * (5 + 3)) / 2)
    expect(at(10, false)).toBe(at(20, true))
  })

  it('of decoding a sequence token by token are those of one causal pass, plus the diagonal', () => {
    const s = shape({ dModel: 32, gated: true })
    const plan = LoopPlan.parse('1,2x3')
    const length = 16
    const decoded = Array.from({ length }, (_, context) => inferenceFlopsPerToken(plan, s, { context }))
    const diagonal = plan.effectiveDepth * s.nHeads * (s.dHead + s.dHeadValue) * length
    expect(decoded.reduce((sum, flops) => sum + flops)).toBe(
      forwardFlopsPerToken(plan, s, { length, causal: true }) * length + diagonal,
    )
  })

  it('are the same looped and untied; parameters are the same looped and once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.boolean(), (k, loops, causal) => {
        const s = shape({ dModel: 16, nHeads: 4 })
        const plan = LoopPlan.parse(`2,${k}x${loops}`)
        const flops = (p: LoopPlan) => trainingFlopsPerToken(p, s, { length: 12, causal })
        expect(flops(plan)).toBe(flops(plan.isoFlop()))
        expect(flops(plan)).toBe(3 * forwardFlopsPerToken(plan, s, { length: 12, causal }))
        expect(parameters(plan, s)).toBe(parameters(plan.isoParameter(), s))
      }),
    )
  })
})

describe('parameters', () => {
  it('of a layer are 4d² + 2·d·dFf and two gains, as in the paper (addition 786,432; p-hop 196,608)', () => {
    expect(layerParameters(shape({ dModel: 256, norm: 'none' }))).toBe(786_432)
    expect(layerParameters(shape({ dModel: 128, norm: 'none' }))).toBe(196_608)
    expect(layerParameters(shape({ dModel: 128 }))).toBe(196_608 + 256)
  })

  it('of a layer follow every setting', () => {
    const odd = { dModel: 10, nHeads: 2, dHead: 3, dHeadValue: 4, dFf: 7 }
    const maps = 2 * 10 * 6 + 2 * 10 * 8 + 2 * 10 * 7
    expect(layerParameters(shape({ ...odd, norm: 'none' }))).toBe(maps)
    expect(layerParameters(shape({ ...odd, norm: 'none', gated: true }))).toBe(maps + 70)
    expect(layerParameters(shape({ ...odd, norm: 'layer' }))).toBe(maps + 20)
    expect(layerParameters(shape({ ...odd, norm: 'rms', bias: true }))).toBe(maps + (6 + 6 + 8 + 10) + (7 + 10) + 20)
    expect(layerParameters(shape({ ...odd, norm: 'layer', bias: true, gated: true }))).toBe(
      maps + 70 + (6 + 6 + 8 + 10) + (7 + 7 + 10) + 40,
    )
  })

  it('of a model add the embedding, positions, the final norm and the head', () => {
    const plan = LoopPlan.parse('3x4')
    const base = shape({ dModel: 16, vocabulary: 5 })
    const layers = 3 * layerParameters(base)
    expect(parameters(plan, base)).toBe(layers + 5 * 16 + 16 + 5 * 16)
    expect(parameters(plan, { ...base, tiedHead: true, finalNorm: false })).toBe(layers + 5 * 16)
    expect(parameters(plan, { ...base, positions: 'learned', maxLength: 9 })).toBe(layers + 176 + 9 * 16)
    expect(parameters(plan, { ...base, positions: 'none', norm: 'none' })).toBe(3 * (layers / 3 - 32) + 160)
  })
})
