import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { createTask, findTask, tasks } from './index.ts'

describe('findTask', () => {
  it('finds every task under its own name', () => {
    expect([...tasks.keys()]).toContain('phop')
    for (const [name, definition] of tasks) {
      expect(findTask(name)).toBe(definition)
      expect(definition.name).toBe(name)
    }
  })

  it.each([
    ['phpo', 'no task is called "phpo": did you mean phop?'],
    ['P-hop', 'no task is called "P-hop": did you mean phop?'],
    ['chess', 'no task is called "chess": there is '],
    ['', 'no task is called "": there is '],
    ['__proto__', 'no task is called "__proto__"'],
    ['constructor', 'no task is called "constructor"'],
  ])('refuses %j', (name, message) => {
    expect(() => findTask(name)).toThrow(LatheError)
    expect(() => findTask(name)).toThrow(message)
  })
})

describe('createTask', () => {
  it('fills in defaults', () => {
    expect(createTask({ name: 'phop' }).length).toBe(256)
    expect(createTask({ name: 'phop', n: 32, p: 4 }).length).toBe(32)
  })

  it.each([
    [{ name: 'phpo' }, 'did you mean phop?'],
    [{ name: 'phop', alphabt: 3 }, 'task phop: there is no setting alphabt: did you mean alphabet?'],
    [{ name: 'phop', temperature: 3 }, 'task phop: there is no setting temperature: there are n, p, alphabet, loss'],
    [{ name: 'phop', p: 0 }, 'task phop: p must be a whole number from 1 to 32767, got 0'],
    [{ name: 'phop', p: 1.5 }, 'task phop: p must be a whole number from 1 to 32767, got 1.5'],
    [{ name: 'phop', n: '64' }, 'task phop: n must be a whole number from 3 to 65536, got "64"'],
    [{ name: 'phop', alphabet: 27 }, 'task phop: alphabet must be a whole number from 2 to 26, got 27'],
    [{ name: 'phop', loss: 'all' }, 'task phop: loss must be every or last, got "all"'],
    [{ name: 'phop', n: 8, p: 4 }, 'task phop: n = 8 is too short for p = 4: 4 hops need n ≥ 9, and n ≥ 16 is advised'],
  ])('refuses %j', (given, message) => {
    expect(() => createTask(given)).toThrow(LatheError)
    expect(() => createTask(given)).toThrow(message)
  })

  it('makes every setting of the papers', () => {
    for (const [name, { paper }] of tasks) {
      for (const settings of Object.values(paper)) expect(createTask({ name, ...settings }).name).toBe(name)
    }
  })
})

// What every task promises, whatever it is.
describe.each([...tasks.keys()])('task %s', (name) => {
  const task = createTask({ name })
  const key = { seed: 3, split: 'train', index: 5 } as const

  it('has samples of its length, over its vocabulary, with a weight wherever there is a target', () => {
    expect(new Set(task.vocabulary).size).toBe(task.vocabulary.length)
    for (let index = 0; index < 50; index++) {
      const { tokens, targets, weights } = task.sample({ ...key, index })
      expect(tokens.length).toBeLessThanOrEqual(task.length)
      expect([targets.length, weights.length]).toEqual([tokens.length, tokens.length])
      expect(tokens.every((token) => token >= 0 && token < task.vocabulary.length)).toBe(true)
      expect(targets.every((target) => target >= -1 && target < task.vocabulary.length)).toBe(true)
      expect(weights.every((weight, i) => (targets[i] === -1 ? weight === 0 : weight > 0))).toBe(true)
      expect(weights.some((weight) => weight > 0)).toBe(true)
    }
  })

  it('gives the same sample for the same key, and another for another', () => {
    expect(task.sample(key)).toEqual(createTask({ name }).sample(key))
    for (const change of [{ seed: 4 }, { split: 'test' as const }, { index: 6 }]) {
      expect(task.sample({ ...key, ...change }).tokens).not.toEqual(task.sample(key).tokens)
    }
  })

  it('scores its own targets as right', () => {
    const sample = task.sample(key)
    expect(task.score(sample, sample.targets)).toBe(true)
    expect(
      task.score(
        sample,
        sample.targets.map((target) => (target + 1) % task.vocabulary.length),
      ),
    ).toBe(false)
  })

  it.runIf(task.tally)('counts its own targets as right, and no others', () => {
    const sample = task.sample(key)
    const { right, of } = task.tally!(sample, sample.targets)
    expect(of).toBeGreaterThan(0)
    expect(right).toBe(of)
    const wrong = sample.targets.map((target) => (target + 1) % task.vocabulary.length)
    expect(task.tally!(sample, wrong)).toEqual({ right: 0, of })
  })

  it.runIf(task.written)('has problems with answers that are written after them', () => {
    const { promptLength, judge, end } = task.written!
    for (let index = 0; index < 50; index++) {
      const sample = task.sample({ ...key, index })
      const prompt = promptLength(sample)
      expect(prompt).toBeGreaterThan(0)
      expect(prompt).toBeLessThan(sample.tokens.length)
      const answer = sample.tokens.subarray(prompt)
      expect([...sample.targets]).toEqual([...Array(prompt - 1).fill(-1), ...answer, end])
      expect(sample.tokens).not.toContain(end)
      expect(promptLength({ ...sample, tokens: sample.tokens.subarray(0, prompt) })).toBe(prompt)
      expect(judge(sample, answer)).toBe(true)
      for (const wrong of [answer.subarray(0, 0), answer.slice(0, -1), answer.map((token) => (token + 1) % end)])
        expect(judge(sample, wrong)).toBe(false)
    }
  })

  it('reads what it writes', () => {
    const sample = task.sample(key)
    expect(task.parse(task.format(sample))).toEqual(sample)
    expect(task.parse({ input: task.format(sample).input })).toEqual(sample)
  })

  it('knows accuracies as fractions', () => {
    for (const accuracy of [task.chance, ...task.shortcuts.map((shortcut) => shortcut.accuracy)]) {
      expect(accuracy).toBeGreaterThanOrEqual(0)
      expect(accuracy).toBeLessThanOrEqual(1)
    }
  })
})
