import { describe, expect, it, vi } from 'vitest'
import { chooseExecutor, type Executor, type Precision, referenceExecutor } from '../executor/index.ts'
import { checkGradients } from './check.ts'
import { pickModels } from './models.ts'
import type { Peer, PeerError } from './peers.ts'

const [model] = pickModels('Q')

// what peers compute is tested in peers.test.ts: here their errors are made up
const theirs: Record<string, PeerError> = { good: { error: 1e-3 }, poor: { error: 9e-3 }, gone: { failed: 'no room' } }
vi.mock(import('./peers.ts'), async (original) => ({ ...(await original()), peerErrors: async () => theirs }))
const peer = (name: string, precision: Precision): Peer => {
  return { library: 'fake', name, precision, command: ['none'], variant: precision }
}

/** An executor whose sums under `grad:…name` are `factor` times what they should be. */
function broken(executor: Executor, name: string, factor: number): Executor {
  return {
    ...executor,
    compile(program, options) {
      const executable = executor.compile(program, options)
      const reduce = executable.reduce.bind(executable)
      return Object.assign(executable, {
        async reduce(into: Record<string, Float32Array>, squares?: Map<string, number>) {
          await reduce(into, squares)
          for (const [sum, values] of Object.entries(into))
            if (sum.startsWith('grad:') && sum.endsWith(name)) values.set(values.map((x) => factor * x))
        },
      })
    },
  }
}

describe('checkGradients', () => {
  it.each<[Precision, number]>([
    ['f32', 1e-5],
    ['bf16', 1e-2],
  ])('this machine computes the gradients of the quickstart in %s', async (precision, bar) => {
    const checked = await checkGradients(model, chooseExecutor({ precision }))
    expect(checked).toMatchObject({ bar, ok: true })
    expect(checked.whole).toBeLessThanOrEqual(bar)
  })

  it('sees rounded operands beside f32', async () => {
    const { whole } = await checkGradients(model, referenceExecutor({ precision: 'bf16' }))
    expect(whole).toBeGreaterThan(1e-4)
  })

  it('fails gradients that are 1 % too large', async () => {
    const checked = await checkGradients(model, broken(chooseExecutor({ precision: 'f32' }), '', 1.01))
    expect(checked.ok).toBe(false)
    expect(checked.whole).toBeCloseTo(0.01, 5)
  })

  it('fails and names one tensor that is too large, be it a small part of the whole', async () => {
    const tensor = 'model.norm.weight'
    const checked = await checkGradients(model, broken(chooseExecutor({ precision: 'f32' }), tensor, 1.0002))
    expect(checked).toMatchObject({ ok: false, tensor })
    expect(checked.worstTensor).toBeCloseTo(2e-4, 5)
  })

  it.each<[string, Peer[], number, boolean]>([
    ['1 %, where a peer is off by nearly as much', [peer('poor', 'bf16')], 1e-2, true],
    ['1.3 times what the best peer is off', [peer('poor', 'bf16'), peer('good', 'bf16')], 1.3e-3, false],
    ['1 % beside a peer in f32', [peer('good', 'f32')], 1e-2, true],
    ['1 % beside a peer that failed', [peer('gone', 'bf16')], 1e-2, true],
  ])('holds bf16 to %s', async (_, peers, bar, ok) => {
    const checked = await checkGradients(model, referenceExecutor({ precision: 'bf16' }), { peers })
    expect(checked).toMatchObject({ bar: expect.closeTo(bar, 8), ok, peers: theirs })
  })

  it('does not measure f32 by what peers lose', async () => {
    const checked = await checkGradients(model, chooseExecutor({ precision: 'f32' }), { peers: [peer('good', 'bf16')] })
    expect(checked).toMatchObject({ bar: 1e-5, ok: true })
  })
})
