import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { appendRecord, readLog, truncateLog } from './run-log.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-log-'))
  path = join(folder, 'metrics.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

const line = (step: number) => `{"step":${step},"loss":${1 / step}}\n`
const lines = (...steps: number[]) => steps.map(line).join('')

describe('appendRecord', () => {
  it('adds one line after another, numbers exact', async () => {
    await appendRecord(path, { step: 1, loss: 0.1 + 0.2, perLoop: [1e-45, 3] })
    await appendRecord(path, { step: 2, loss: -0 })
    expect(await readFile(path, 'utf8')).toBe(
      '{"step":1,"loss":0.30000000000000004,"perLoop":[1e-45,3]}\n{"step":2,"loss":0}\n',
    )
    expect(await readLog(path)).toEqual([
      { step: 1, loss: 0.1 + 0.2, perLoop: [1e-45, 3] },
      { step: 2, loss: 0 },
    ])
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %s, and writes nothing', async (loss) => {
    const record = { step: 7, inner: { loss } }
    await expect(appendRecord(path, record)).rejects.toThrow(
      new LatheError(`${path}: loss of step 7 is ${loss}, which is no number to record`),
    )
    expect(await readLog(path)).toEqual([])
  })

  it.runIf(process.platform === 'linux')('says that the disk is full', async () => {
    await expect(appendRecord('/dev/full', { step: 3 })).rejects.toThrow(
      new LatheError('/dev/full: cannot write step 3: no room on the disk (ENOSPC)'),
    )
  })
})

describe('readLog', () => {
  it('takes a log that is not there for an empty one', async () => {
    expect(await readLog(path)).toEqual([])
  })

  it('leaves out a line that is still being written, wherever it is cut', async () => {
    const whole = lines(1, 2, 3)
    for (let cut = lines(1, 2).length; cut < whole.length - 1; cut++) {
      await writeFile(path, whole.slice(0, cut))
      expect((await readLog(path)).map(({ step }) => step)).toEqual([1, 2])
    }
    await writeFile(path, whole.slice(0, -1)) // only the newline is missing
    expect((await readLog(path)).map(({ step }) => step)).toEqual([1, 2, 3])
  })

  it.each([
    [`${line(1)}{"st\n${line(3)}`, ':2 is no record of a step: remove the line to go on'],
    [`${line(1)}\n${line(3)}`, ':2 is no record of a step: remove the line to go on'],
    [`${line(1)}{"loss":1}\n${line(3)}`, ':2 is no record of a step: remove the line to go on'],
    [`null\n${line(3)}`, ':1 is no record of a step: remove the line to go on'],
    [lines(1, 5, 4), ':3: step 4 stands after step 5'],
  ])('names a line in the middle that is wrong', async (text, message) => {
    await writeFile(path, text)
    await expect(readLog(path)).rejects.toThrow(new LatheError(path + message))
    await expect(truncateLog(path, 9)).rejects.toThrow(new LatheError(path + message))
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})

describe('truncateLog', () => {
  it.each<[string, string, number, string, object]>([
    ['all of it', lines(1, 2, 3), 3, lines(1, 2, 3), { dropped: 0, mended: false }],
    ['more than there is', lines(1, 2), 9, lines(1, 2), { dropped: 0, mended: false }],
    ['a part', lines(1, 2, 3), 2, lines(1, 2), { dropped: 1, mended: false }],
    ['two records of a step', lines(1, 2, 2, 3), 2, lines(1, 2, 2), { dropped: 1, mended: false }],
    ['nothing', lines(1, 2, 3), 0, '', { dropped: 3, mended: false }],
    ['an empty log', '', 4, '', { dropped: 0, mended: false }],
    ['what stands before a torn line', `${lines(1, 2)}{"step":3,"lo`, 5, lines(1, 2), { dropped: 0, mended: true }],
    ['nothing before a torn line', '{"st', 5, '', { dropped: 0, mended: true }],
    ['what stands before zeros of a lost page', `${line(1)}\0\0\0\0`, 5, line(1), { dropped: 0, mended: true }],
    ['a last line without its newline', lines(1, 2).slice(0, -1), 2, lines(1, 2), { dropped: 0, mended: true }],
    ['a part before a last line without newline', lines(1, 2).slice(0, -1), 1, line(1), { dropped: 1, mended: true }],
  ])('keeps %s', async (_, text, step, left, result) => {
    await writeFile(path, text)
    expect(await truncateLog(path, step)).toEqual(result)
    expect(await readFile(path, 'utf8')).toBe(left)
    expect(await truncateLog(path, step)).toEqual({ dropped: 0, mended: false })
  })

  it('has nothing to do for a log that is not there', async () => {
    expect(await truncateLog(path, 3)).toEqual({ dropped: 0, mended: false })
  })
})
