import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { whole } from '../../settings/settings.ts'
import type { Sample, SampleKey, Task, TaskDefinition, WrittenAnswer } from '../task.ts'
import { type CreateTask, ofTask, withDummy } from './inner.ts'

const settings = z.strictObject({
  of: ofTask({ name: 'igsm' }),
  prompt: whole(1, 65535).default(78).describe('tokens of a problem: only those of this length are drawn'),
  slots: whole(1, 65535).default(36).describe('dummies after it: longest answer, with the token that ends it'),
})

type SlotSettings = z.infer<typeof settings>

/**
 * A task with written answers, answered at once: after the problem stand dummies, and each is to become a token of the
 * answer in its own place, as in Saunshi et al. (arXiv 2502.17416, Theorem 5.4), where every loop fills one more. Right
 * is what the task itself judges so.
 */
export const slots = (createTask: CreateTask): TaskDefinition<SlotSettings> => ({
  name: 'slots',
  description: 'another task, whose answer is to stand at once in dummies after the problem',
  settings,
  create: (sizes) => create(createTask(sizes.of), sizes),
  paper: {},
})

/** Problems of other lengths that are passed over, at most, for one that fits. */
const maxDraws = 1000

function create(task: Task, { prompt, slots }: SlotSettings): Task {
  const { written } = task
  if (written === undefined) throw new LatheError(`task slots: of ${task.name}, nothing is written: name one like igsm`)
  const { end } = written
  const dummy = task.vocabulary.length
  const length = prompt + slots

  function toSlots({ tokens }: Sample): Sample {
    const [filled, targets] = [new Int32Array(length).fill(dummy), new Int32Array(length).fill(-1)]
    filled.set(tokens.subarray(0, prompt))
    targets.set([...tokens.subarray(prompt), end], prompt)
    return { tokens: filled, targets, weights: Float32Array.from(targets, (target) => Number(target >= 0)) }
  }

  /** A problem with the answer that stands in these slots, up to an end or a dummy. */
  function plain({ tokens }: Sample, answer: Int32Array): Sample {
    const problem = tokens.subarray(0, prompt)
    const targets = Int32Array.of(...new Array(prompt - 1).fill(-1), ...answer, end)
    const all = Int32Array.of(...problem, ...answer)
    return { tokens: all, targets, weights: Float32Array.from(targets, (target) => Number(target >= 0)) }
  }

  function answerIn(filled: Int32Array): { answer: Int32Array; ended: boolean } {
    const inSlots = filled.subarray(prompt)
    const stop = inSlots.findIndex((token) => token === end || token === dummy || token < 0)
    return { answer: stop < 0 ? inSlots : inSlots.subarray(0, stop), ended: inSlots[stop] === end }
  }

  const right = (sample: Sample) => plain(sample, answerIn(sample.targets).answer)

  /** Why a sample of the task has no place here. */
  function misfit(written: WrittenAnswer, sample: Sample): string | undefined {
    const own = written.promptLength(sample)
    if (own !== prompt) return `problem is ${own} tokens: write one of ${prompt}`
    const answer = sample.tokens.length - own
    return answer < slots ? undefined : `answer is ${answer} tokens: at most ${slots - 1} fit`
  }

  function sample(key: SampleKey): Sample {
    for (let i = 0; i < maxDraws; i++) {
      const drawn = task.sample({ ...key, index: key.index * maxDraws + i })
      if (misfit(written!, drawn) === undefined) return toSlots(drawn)
    }
    throw new LatheError(
      `task slots: none of ${maxDraws} problems is ${prompt} tokens, with an answer of less than ${slots}: ` +
        'set another prompt, or more slots',
    )
  }

  return {
    name: 'slots',
    vocabulary: withDummy(task),
    length,
    attention: task.attention,
    chance: written.chance,
    shortcuts: task.shortcuts,
    sample,
    parse(example) {
      const sample = task.parse(example)
      const problem = misfit(written, sample)
      if (problem !== undefined) throw new LatheError(problem)
      return toSlots(sample)
    },
    format: (sample) => task.format(right(sample)),
    score(sample, predictions) {
      const { answer, ended } = answerIn(predictions)
      return ended && written.judge(right(sample), answer)
    },
  }
}
