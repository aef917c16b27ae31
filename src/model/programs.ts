import { compileForward, compileTraining, type TrainingPrograms } from '../compile/index.ts'
import { accumulate, input, output, type Tensor, trace } from '../graph/graph.ts'
import { linearCrossEntropy, matmul, mul, sum } from '../ops/index.ts'
import type { ModelConfig } from './config.ts'
import { normTap, transformer } from './transformer.ts'

/** The inputs of a sequence of T tokens that training and evaluation share. */
function supervised(config: ModelConfig, length: number, padded: boolean) {
  const i32 = (name: string) => input(name, [length], 'i32')
  const sequence = padded ? { segments: i32('segments') } : {}
  const traced = transformer(config, i32('tokens'), { ...sequence, tap: normTap })
  return { ...traced, ...linearCrossEntropy(traced.hidden, traced.head, i32('targets')) }
}

/**
 * One training step of a sequence of `length` tokens. Inputs: `tokens` i32, `targets` i32 (negative: none), `lossWeights`
 * f32, each `[T]`, weights normalised over the global batch. Sums: `loss` (nats), `grad:NAME`, and per segment s
 * `stateNorm.s` and `updateNorm.s` `[loops]`, to be divided by the number of sequences.
 */
export function trainingPrograms(config: ModelConfig, length: number): TrainingPrograms {
  let loss!: Tensor
  const graph = trace('train', () => {
    const { losses, taps } = supervised(config, length, false)
    loss = sum(mul(losses, input('lossWeights', [length])))
    for (const [s, { stateNorm, updateNorm }] of taps.entries()) {
      accumulate(`stateNorm.${s}`, stateNorm)
      accumulate(`updateNorm.${s}`, updateNorm)
    }
  })
  return compileTraining(graph, loss)
}

/**
 * Evaluation of a sequence padded to `length` tokens. Inputs `tokens`, `targets`, and `segments` (0 for the sequence, 1 for
 * its padding), i32`[T]`. Outputs `losses` f32`[T]` in nats and `predictions` i32`[T]`, the arg-max.
 */
export function evaluationPrograms(config: ModelConfig, length: number): Pick<TrainingPrograms, 'main' | 'derive'> {
  return compileForward(
    trace('evaluate', () => {
      const { losses, predictions } = supervised(config, length, true)
      output('losses', losses)
      output('predictions', predictions)
    }),
  )
}

/** Logits of every position, f32`[T, V]`, of `tokens` i32`[T]`. */
export function logitsPrograms(config: ModelConfig, length: number): Pick<TrainingPrograms, 'main' | 'derive'> {
  return compileForward(
    trace('logits', () => {
      const { hidden, head } = transformer(config, input('tokens', [length], 'i32'))
      output('logits', matmul(hidden, head, { transposeB: true }))
    }),
  )
}
