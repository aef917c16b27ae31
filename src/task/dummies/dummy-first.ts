import { z } from 'zod'
import type { Sample, Task, TaskDefinition } from '../task.ts'
import { type CreateTask, ofTask, withDummy } from './inner.ts'

const settings = z.strictObject({ of: ofTask({ name: 'phop' }) })

/**
 * Any task with a dummy in front of every sequence, where the models of Saunshi et al. (arXiv 2502.17416, Theorems 5.1 to
 * 5.3) have it: a token like no other at position 0. Text and metric are the task's own.
 */
export const dummyFirst = (createTask: CreateTask): TaskDefinition<z.infer<typeof settings>> => ({
  name: 'dummy-first',
  description: 'another task, with a dummy token in front of every sequence',
  settings,
  create: ({ of }) => behindDummy(createTask(of)),
  paper: {},
})

/** The task with the dummy, whose token id is the last, in front of every sequence. */
export function behindDummy(task: Task): Task {
  const dummy = task.vocabulary.length
  const behind = ({ tokens, targets, weights }: Sample): Sample => ({
    tokens: Int32Array.of(dummy, ...tokens),
    targets: Int32Array.of(-1, ...targets),
    weights: Float32Array.of(0, ...weights),
  })
  const plain = ({ tokens, targets, weights }: Sample): Sample => ({
    tokens: tokens.subarray(1),
    targets: targets.subarray(1),
    weights: weights.subarray(1),
  })
  const { tally, written } = task
  return {
    name: 'dummy-first',
    vocabulary: withDummy(task),
    length: task.length + 1,
    attention: task.attention,
    chance: task.chance,
    shortcuts: task.shortcuts,
    sample: (key) => behind(task.sample(key)),
    parse: (example) => behind(task.parse(example)),
    format: (sample) => task.format(plain(sample)),
    score: (sample, predictions) => task.score(plain(sample), predictions.subarray(1)),
    tally: tally && ((sample, predictions) => tally.call(task, plain(sample), predictions.subarray(1))),
    written: written && {
      promptLength: (sample) => written.promptLength(plain(sample)) + 1,
      chance: written.chance,
      end: written.end,
      judge: (sample, answer) => written.judge(plain(sample), answer),
    },
  }
}
