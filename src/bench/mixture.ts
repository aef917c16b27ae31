import { paddedLength, stack, type Task, totalWeight } from '../task/index.ts'
import type { StepInputs } from './step.ts'

/** `count` training samples of a task in the order of their numbers, each padded to `length`. */
export function drawSamples(task: Task, length: number, count: number, seed: number): StepInputs {
  const samples = Array.from({ length: count }, (_, index) => task.sample({ seed, split: 'train', index }))
  const { tokens, targets, weights } = stack(samples, length)
  const total = totalWeight(samples)
  const lengths = samples.map((sample) => paddedLength(sample.tokens.length, length))
  return { inputs: { tokens, targets, lossWeights: weights.map((w) => w / total) }, lengths }
}
