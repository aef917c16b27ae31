import { paddedLength, type Task } from '../task/index.ts'
import type { StepInputs } from './step.ts'

/** `count` training samples of a task in the order of their numbers, each padded to `length`. */
export function drawSamples(task: Task, length: number, count: number, seed: number): StepInputs {
  const samples = Array.from({ length: count }, (_, index) => task.sample({ seed, split: 'train', index }))
  const total = samples.reduce((sum, { weights }) => weights.reduce((s, w) => s + w, sum), 0)
  const tokens = new Int32Array(count * length)
  const targets = new Int32Array(count * length).fill(-1)
  const lossWeights = new Float32Array(count * length)
  for (const [b, sample] of samples.entries()) {
    tokens.set(sample.tokens, b * length)
    targets.set(sample.targets, b * length)
    lossWeights.set(
      sample.weights.map((w) => w / total),
      b * length,
    )
  }
  const lengths = samples.map((sample) => paddedLength(sample.tokens.length, length))
  return { inputs: { tokens, targets, lossWeights }, lengths }
}
