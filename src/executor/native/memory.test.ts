import { describe, expect, it } from 'vitest'
import { compileTraining } from '../../compile/index.ts'
import { input, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { modelConfig } from '../../model/config.ts'
import { trainingPrograms } from '../../model/programs.ts'
import { attention, mul, sum } from '../../ops/index.ts'
import { nativeExecutor, nativeIsBuilt } from './index.ts'

describe.runIf(nativeIsBuilt())('the memory of a training step', () => {
  const executor = nativeExecutor({ precision: 'f32', threads: 1 })

  const ofModel = (plan: string, T: number, saveEvery?: number): number => {
    const config = modelConfig({ plan, dModel: 32, nHeads: 8, vocabulary: 16, maxLength: T })
    return executor.compile(trainingPrograms(config, T, { saveEvery }).main).schedule.arenaBytes
  }

  const ofAttention = (T: number) => {
    let loss!: Tensor
    const graph = trace('t', () => {
      const [q, k, v] = ['q', 'k', 'v'].map((name) => mul(parameter(name, [16]), input(`${name}.x`, [T, 16])))
      loss = sum(attention(q, k, v, { nHeads: 8 }))
    })
    return executor.compile(compileTraining(graph, loss).main).schedule.arenaBytes
  }

  it('holds the weights of an attention up to 8 MiB', () => {
    expect(ofAttention(512)).toBeGreaterThan(2 ** 23)
    expect(ofAttention(513)).toBeLessThan(2 ** 19)
  })

  it('holds no more of them: it is linear in the length', () => {
    expect(ofAttention(4096) / ofAttention(1024)).toBeLessThan(4.01)
    expect(ofModel('1x8', 4096) / ofModel('1x8', 1024)).toBeLessThan(4.01)
    expect(ofAttention(4096)).toBeLessThan(4 * 4096 * 4096) // the probabilities of one head alone
  })

  it('is affine in the number of loops', () => {
    const [a, b, c] = [16, 32, 64].map((loops) => ofModel(`1x${loops}`, 64))
    expect((c - b) / (b - a) / 2).toBeCloseTo(1, 2)
  })

  it('grows with the root of the number of loops where all else is computed again', () => {
    for (const root of [2, 4, 8]) {
      const [whole, less] = [undefined, root].map((m) => ofModel(`1x${root ** 2}`, 64, m))
      expect(less / whole, `${root ** 2} loops`).toBeLessThan(1.5 / root)
    }
  })
})
