import { compileForward, compileTraining, type TrainingPrograms } from '../compile/index.ts'
import { accumulate, input, output, type Tensor, trace } from '../graph/graph.ts'
import { fixedCount } from '../nn/index.ts'
import { linearCrossEntropy, matmul, mul, sum } from '../ops/index.ts'
import type { ModelConfig } from './config.ts'
import { normTap, type TransformerOptions, transformer } from './transformer.ts'

/** The inputs of a sequence of T tokens that training and evaluation share. */
function supervised(config: ModelConfig, length: number, options: { padded: boolean } & TransformerOptions) {
  const i32 = (name: string) => input(name, [length], 'i32')
  const { padded, recurrence } = options
  const sequence = padded ? { segments: i32('segments') } : {}
  const traced = transformer(config, i32('tokens'), { ...sequence, recurrence, tap: normTap })
  return { ...traced, ...linearCrossEntropy(traced.hidden, traced.head, i32('targets')) }
}

/**
 * One training step of a sequence of `length` tokens. Inputs: `tokens` i32, `targets` i32 (negative: none), `lossWeights`
 * f32, each `[T]`, weights normalised over the global batch. Sums: `loss` (nats), `grad:NAME`, and per segment s
 * `stateNorm.s` and `updateNorm.s` `[loops]`, to be divided by the number of sequences.
 *
 * `saveEvery`: loops of a segment that the way back computes again at a time, so as to keep the state before them alone;
 * a segment of no more loops keeps everything, and so does every segment by default. Gradients are the same, bit for bit.
 */
export function trainingPrograms(
  config: ModelConfig,
  length: number,
  { saveEvery }: { readonly saveEvery?: number } = {},
): TrainingPrograms {
  let loss!: Tensor
  const graph = trace('train', () => {
    const { losses, taps } = supervised(config, length, {
      padded: false,
      recurrence: ({ loops }) => fixedCount(loops, { saveEvery }),
    })
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
      const { losses, predictions } = supervised(config, length, { padded: true })
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
