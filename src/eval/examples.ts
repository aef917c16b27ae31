import { readFile } from 'node:fs/promises'
import type { Executor } from '../executor/executor.ts'
import { ioReason } from '../files/durable-file.ts'
import { withoutMark } from '../files/json-file.ts'
import { parseStrictJson, StrictJsonError } from '../files/strict-json.ts'
import type { Model } from '../model/model-folder.ts'
import { asPlanned, type Looping, LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { nearest } from '../settings/nearest.ts'
import { type Example, type Sample, type Task, UndefinedAnswerError } from '../task/index.ts'
import { evaluateSamples } from './evaluate.ts'
import type { Evaluation } from './evaluator.ts'

/** A line that is not scored, because its problem has no answer. */
export interface SkippedLine {
  /** Counted from 1. */
  readonly line: number
  readonly reason: string
}

export interface Examples {
  readonly samples: readonly Sample[]
  readonly skipped: readonly SkippedLine[]
}

/**
 * Reads examples, one `{"input": …, "target": …}` a line in the task's own text form; the task's answer is the target
 * where a line gives none. Lines of white space are passed over.
 * Throws a one-line LatheError that begins `FILE:LINE:` for the first line that does not parse or that the task cannot
 * read, and one for a file with no line to score.
 */
export async function readExamples(file: string, task: Task): Promise<Examples> {
  const text = await readFile(file, 'utf8').catch((error) => {
    throw new LatheError(`${file}: cannot read it: ${ioReason(error)}`)
  })
  const samples: Sample[] = []
  const skipped: SkippedLine[] = []
  for (const [i, line] of withoutMark(text).split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      samples.push(task.parse(parseExample(line)))
    } catch (error) {
      if (!(error instanceof LatheError)) throw error
      if (!(error instanceof UndefinedAnswerError)) throw new LatheError(`${file}:${i + 1}: ${error.message}`)
      skipped.push({ line: i + 1, reason: error.message })
    }
  }
  if (samples.length > 0) return { samples, skipped }
  const [first] = skipped
  if (first) throw new LatheError(`${file}: no line can be scored: line ${first.line}: ${first.reason}`)
  const example = task.format(task.sample({ seed: 0, split: 'test', index: 0 }))
  throw new LatheError(`${file} is empty: write lines such as ${JSON.stringify(example)}`)
}

const form = 'must be an object such as {"input": "…", "target": "…"}'

function parseExample(line: string): Example {
  const value = parseJson(line)
  if (!(value instanceof Map)) throw new LatheError(form)
  const fields = ['input', 'target']
  const unknown = [...value.keys()].find((key) => !fields.includes(key))
  if (unknown !== undefined) {
    const near = nearest(unknown, fields) ?? fields.join(' or ')
    throw new LatheError(`there is no field ${JSON.stringify(unknown)}: did you mean ${near}?`)
  }
  const [input, target] = [value.get('input'), value.get('target')]
  if (typeof input !== 'string')
    throw new LatheError(`input ${input === undefined ? 'is missing' : 'is no text'}: ${form}`)
  if (target !== undefined && typeof target !== 'string') throw new LatheError(`target is no text: ${form}`)
  return { input, target }
}

function parseJson(line: string) {
  try {
    return parseStrictJson(line)
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new LatheError(`no JSON: ${error.message} at character ${error.offset + 1}`)
  }
}

/** Evaluates a model on examples of a file, once for every looping; as it was trained where none is given. */
export async function evaluateExamples(
  model: Model,
  task: Task,
  executor: Executor,
  { file, loops = [asPlanned(LoopPlan.parse(model.config.plan))] }: { file: string; loops?: readonly Looping[] },
): Promise<{ evaluations: Evaluation[]; skipped: readonly SkippedLine[] }> {
  const { samples, skipped } = await readExamples(file, task)
  return { evaluations: await evaluateSamples(model, task, executor, samples, loops), skipped }
}
