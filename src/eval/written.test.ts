import { describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/reference/index.ts'
import { modelConfig } from '../model/config.ts'
import type { Model } from '../model/model-folder.ts'
import { initialParameters } from '../model/parameters.ts'
import { LoopPlan, loopedAt } from '../plan/index.ts'
import type { Sample } from '../task/index.ts'
import { evaluateWritten, isWritten, type WritingTask, writeAnswers } from './written.ts'

const executor = referenceExecutor()
const [vocabulary, length, equals, end] = [5, 12, 3, 4]

/** A problem of some tokens up to an equals sign, and an answer. */
function sampleOf(problem: readonly number[], answer: readonly number[]): Sample {
  const tokens = Int32Array.of(...problem, equals, ...answer)
  const targets = new Int32Array(tokens.length).fill(-1)
  targets.set([...answer, end], problem.length)
  return { tokens, targets, weights: Float32Array.from(targets, (target) => Number(target >= 0)) }
}

/** An answer is right when its length leaves the remainder that is the sample's last token. */
const written: WritingTask['written'] = {
  promptLength: ({ tokens }) => tokens.indexOf(equals) + 1,
  chance: 1 / 3,
  end,
  judge: ({ tokens }, answer) => answer.length % 3 === tokens.at(-1),
}

// Of a task, what is asked of it here.
const task = { written, length } as WritingTask

function modelOf(plan = '1x2'): Model {
  const config = modelConfig({ plan, dModel: 12, nHeads: 2, vocabulary, maxLength: 16 })
  return { config, parameters: initialParameters(config, 1) }
}

const problems = Array.from({ length: 24 }, (_, i) => [i % 3, (i >> 1) % 3, (i >> 2) % 3].slice(i % 3))
const model = modelOf()

/** Samples for which what the model writes is right, and how many of its answers come to an end. */
async function answered(of = model): Promise<{ samples: Sample[]; finished: number }> {
  const blank = problems.map((problem) => sampleOf(problem, [0]))
  const answers = await writeAnswers(of, task, executor, blank)
  const samples = answers.map(({ tokens }, i) => sampleOf(problems[i], [tokens.length % 3]))
  return { samples, finished: answers.filter(({ ended }) => ended === 'end').length }
}

describe('writeAnswers', () => {
  it('shows the model the problems alone, and leaves answers the room that the task has', async () => {
    const samples = problems.map((problem) => sampleOf(problem, [0, 1]))
    const other = problems.map((problem) => sampleOf(problem, [2]))
    const answers = await writeAnswers(model, task, executor, samples)
    expect(await writeAnswers(model, task, executor, other)).toEqual(answers)
    const most = 1 + length - Math.min(...problems.map((problem) => problem.length + 1))
    expect(Math.max(...answers.map(({ tokens }) => tokens.length))).toBeLessThanOrEqual(most)
    expect(answers.every(({ tokens }) => !tokens.includes(end))).toBe(true)
  })
})

describe('evaluateWritten', () => {
  it('counts the answers that end and are right by the judgement of the task', async () => {
    const { samples, finished } = await answered()
    expect(finished).toBeGreaterThan(0)
    expect(finished).toBeLessThan(samples.length) // or unfinished ones would not be told apart
    const wrong = samples.map(({ tokens }, i) => sampleOf(problems[i], [(tokens.at(-1)! + 1) % 3]))
    const total = samples.length
    expect(await evaluateWritten(model, task, executor, samples)).toEqual({
      answerAccuracy: finished / total,
      unfinished: (total - finished) / total,
    })
    expect(await evaluateWritten(model, task, executor, wrong)).toMatchObject({ answerAccuracy: 0 })
    const half = samples.map((sample, i) => (i % 2 ? sample : wrong[i]))
    const { answerAccuracy } = await evaluateWritten(model, task, executor, half)
    expect(answerAccuracy).toBeGreaterThan(0)
    expect(answerAccuracy).toBeLessThan(finished / total)
  })

  it('loops the model otherwise than it was trained', async () => {
    const [looping] = loopedAt(LoopPlan.parse('1x2'), [5])
    const deeper = { ...model, config: { ...model.config, plan: '1x5' } }
    const { samples } = await answered(deeper)
    const at5 = await evaluateWritten(model, task, executor, samples, looping)
    expect(at5).toEqual(await evaluateWritten(deeper, task, executor, samples))
    expect(at5).not.toEqual(await evaluateWritten(model, task, executor, samples))
  })
})

it('a task that writes is told by its answers', () => {
  expect(isWritten(task)).toBe(true)
  expect(isWritten({ ...task, written: undefined })).toBe(false)
})
