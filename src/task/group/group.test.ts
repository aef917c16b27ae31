import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'
import { compose, namedGroup } from './definition.ts'

const S4 = namedGroup('S4')

describe('the group task', () => {
  it('reads and writes elements by their names, from the left', () => {
    const task = createTask({ name: 'group', n: 2 })
    const sample = task.parse({ input: '2134 1324' })
    expect(task.format(sample)).toEqual({ input: '2134 1324', target: '2314' })
    expect([...sample.targets]).toEqual([-1, S4.elements.indexOf('2314')])
    expect([...sample.weights]).toEqual([0, 1])
    expect(task.format(task.parse({ input: '1324  2134' })).target).toBe('3124')
    expect(task.score(task.parse({ input: '2134 1324', target: '1234' }), sample.targets)).toBe(false)
  })

  it('asks for the product so far at every position where the loss is there, and scores the last', () => {
    const task = createTask({ name: 'group', n: 5, loss: 'every' })
    const sample = task.sample({ seed: 0, split: 'train', index: 0 })
    expect([...sample.targets]).toEqual([1, 2, 3, 4, 5].map((end) => compose(S4, sample.tokens.subarray(0, end))))
    expect([...sample.weights]).toEqual([1, 1, 1, 1, 1])
    expect(task.score(sample, Int32Array.of(-1, -1, -1, -1, sample.targets[4]))).toBe(true)
  })

  it('takes a table for a group', () => {
    const task = createTask({ name: 'group', group: [[1, 0], [0, 1]], n: 3 }) // biome-ignore format: a table
    expect(task.format(task.parse({ input: '0 0 0' })).target).toBe('0')
    expect(task.vocabulary).toEqual(['0', '1'])
  })

  it.each([
    ['S4', 1 / 24, 1 / 12],
    ['A5', 1 / 60, 1 / 60],
    ['D4', 1 / 8, 1 / 2],
    ['Z7', 1 / 7, 1],
  ])('knows what %s gives away', (group, chance, orderForgotten) => {
    const task = createTask({ name: 'group', group })
    expect(task.chance).toBe(chance)
    expect(task.shortcuts.map(({ accuracy }) => accuracy)).toEqual([chance, orderForgotten])
  })

  it('gives sign away and no more: even products are as likely as odd ones, and so are all of a sign', () => {
    const task = createTask({ name: 'group', group: 'S3', n: 6 })
    const counts = new Map<number, number>()
    for (let index = 0; index < 3000; index++) {
      const product = task.sample({ seed: 0, split: 'train', index }).targets[5]
      counts.set(product, (counts.get(product) ?? 0) + 1)
    }
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(100)
    expect(counts.size).toBe(6)
  })

  it.each([
    [{ input: '2134' }, 'input has 1 elements: write 2'],
    [{ input: '2134 13' }, 'input element 2 is "13": write one of 1234'],
    [{ input: '' }, 'input element 1 is ""'],
    [{ input: '2134 1324', target: 'x' }, 'target is "x": write one of'],
    [{ input: '2134 1324', target: '' }, 'target is ""'],
  ])('refuses %j', (example, message) => {
    const task = createTask({ name: 'group', n: 2 })
    expect(() => task.parse(example)).toThrow(LatheError)
    expect(() => task.parse(example)).toThrow(message)
  })

  it.each([
    [{ group: 'S9' }, 'group S9 has order 362880'],
    [{ group: 'S20000' }, 'group S20000 has order Infinity'],
    [{ group: 'mine.json' }, 'no group is called "mine.json"'],
    [{ group: [[0, 1]] }, 'task group: the table is no table of 2 to 120 rows'],
    [
      { group: 4 },
      'task group: group must be the name of a group such as "S4", or a table such as [[0,1],[1,0]], got 4',
    ],
    [{ n: 0 }, 'task group: n must be a whole number from 1 to 65536, got 0'],
    [{ loss: 'all' }, 'task group: loss must be "every" or "last", got "all"'],
  ])('refuses the settings %j', (settings, message) => {
    expect(() => createTask({ name: 'group', ...settings })).toThrow(LatheError)
    expect(() => createTask({ name: 'group', ...settings })).toThrow(message)
  })

  it('says where there are too few sequences to hold any out', () => {
    const task = createTask({ name: 'group', group: 'Z2', n: 1 })
    const draw = () =>
      (['train', 'validation', 'test'] as const).map((split) => task.sample({ seed: 0, split, index: 0 }))
    expect(draw).toThrow('there are too few of them')
  })
})
