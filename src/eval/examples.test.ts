import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { referenceExecutor } from '../executor/reference/index.ts'
import { modelConfig } from '../model/config.ts'
import { initialParameters } from '../model/parameters.ts'
import { LoopPlan, loopedAt } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask, tasks } from '../task/index.ts'
import { evaluateExamples, readExamples } from './examples.ts'

const task = createTask({ name: 'phop', n: 12, p: 1 })
let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-examples-'))
  file = join(folder, 'mine.jsonl')
})
afterAll(() => rm(folder, { recursive: true }))

const read = async (text: string) => {
  await writeFile(file, text)
  return readExamples(file, task)
}

describe('readExamples', () => {
  it('reads the lines, with or without a target, a last newline and a byte order mark', async () => {
    const { samples, skipped } = await read(
      '\uFEFF{"input": "badcabcdab", "target": "c"}\n\n  \r\n{"input":"aa"}\r\n{"input":"abab","target":"d"}',
    )
    expect(skipped).toEqual([])
    expect(samples.map((sample) => task.format(sample))).toEqual([
      { input: 'badcabcdab', target: 'c' },
      { input: 'aa', target: 'a' },
      { input: 'abab', target: 'd' },
    ])
  })

  it('names lines without an answer and goes on', async () => {
    const { samples, skipped } = await read('{"input":"abcd","target":"a"}\n{"input":"aba"}\n{"input":"a"}\n')
    expect(samples).toHaveLength(1)
    expect(skipped.map(({ line }) => line)).toEqual([1, 3])
    expect(skipped[0].reason).toContain('no answer at p = 1')
  })

  it.each([
    ['{"input":"aba"}\n{"input":"aba",}', 2, 'no JSON: expected a string at character 16'],
    ['\n\nnonsense', 3, 'no JSON: expected a value at character 1'],
    ['{"input":"aba"} {"input":"aba"}', 1, 'no JSON: a character after the end at character 17'],
    ['{"input":"a","input":"b"}', 1, 'no JSON: the key "input" appears twice'],
    ['{"input":"abza"}', 1, 'input letter 3 is "z": write letters from a to d'],
    ['{"input":"aba","target":"z"}', 1, 'target "z" is no answer'],
    ['{"input":"aba","target":"bb"}', 1, 'target "bb" is no answer'],
    ['{"input":"abababababababab"}', 1, 'input has 16 letters: write at most 12'],
    ['{"input":""}', 1, 'input is empty'],
    ['{"input":"aba","taget":"b"}', 1, 'there is no field "taget": did you mean target?'],
    ['{"target":"b"}', 1, 'input is missing: must be an object such as {"input"'],
    ['{"input":7}', 1, 'input is no text'],
    ['{"input":"aba","target":null}', 1, 'target is no text'],
    ['["aba","b"]', 1, 'must be an object such as {"input"'],
    ['null', 1, 'must be an object'],
  ])('refuses %j and names file and line', async (text, line, message) => {
    const error = await read(text).catch((e) => e)
    expect(error).toBeInstanceOf(LatheError)
    expect(error.message).toContain(`${file}:${line}: ${message}`)
    expect(error.message).not.toContain('\n')
  })

  it('refuses a file that is not there, empty, or with nothing to score', async () => {
    await expect(readExamples(join(folder, 'none.jsonl'), task)).rejects.toThrow('cannot read it: no such file')
    await expect(readExamples(folder, task)).rejects.toThrow('it is a folder')
    await expect(read('\n')).rejects.toThrow(/is empty: write lines such as \{"input":"[abcd]{12}","target":"[abcd]"\}/)
    await expect(read('\n{"input":"abcd"}')).rejects.toThrow('no line can be scored: line 2: input has no answer')
  })
})

it.each([...tasks.keys()])('problems of %s are read as people write them, and a bad line is named', async (name) => {
  const own = createTask({ name })
  const written = Array.from({ length: 3 }, (_, index) => own.format(own.sample({ seed: 1, split: 'test', index })))
  const lines = written.map((example) => JSON.stringify(example))
  await writeFile(file, lines.join('\n'))
  const { samples } = await readExamples(file, own)
  expect(samples.map((sample) => own.format(sample))).toEqual(written)
  await writeFile(file, [...lines, '{"input":"what is 2 and 2?"}'].join('\n'))
  const error = await readExamples(file, own).catch((error) => error)
  expect(error).toBeInstanceOf(LatheError)
  expect(error.message).toMatch(new RegExp(`^${file}:4: [^\n]*(write|end it like) [^\n]*$`))
})

it('evaluateExamples scores the given target, right or wrong, at every looping', async () => {
  const config = modelConfig({ plan: '1x2', dModel: 16, nHeads: 2, vocabulary: 4, maxLength: 12 })
  const model = { config, parameters: initialParameters(config, 0) }
  const lines = ['a', 'b', 'c', 'd'].map((target) => JSON.stringify({ input: 'badcabcdab', target }))
  await writeFile(file, [...lines, '{"input":"abcd"}'].join('\n'))
  const { evaluations, skipped } = await evaluateExamples(model, task, referenceExecutor(), { file })
  expect(evaluations).toMatchObject([{ accuracy: 0.25, samples: 4, tokens: 40, plan: '1x2', loops: 2 }]) // one letter is its answer
  expect(skipped).toMatchObject([{ line: 5 }])
  const loops = loopedAt(LoopPlan.parse('1x2'), [1, 4])
  const swept = await evaluateExamples(model, task, referenceExecutor(), { file, loops })
  expect(swept.evaluations.map(({ plan, accuracy }) => `${plan} ${accuracy}`)).toEqual(['1 0.25', '1x4 0.25'])
})
