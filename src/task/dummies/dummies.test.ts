import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'

const key = { seed: 1, split: 'test', index: 3 } as const

describe('a dummy first', () => {
  const of = { name: 'phop', n: 16, p: 1 }
  const [inner, task] = [createTask(of), createTask({ name: 'dummy-first', of })]

  it('stands in front of the same sequence, and asks for nothing', () => {
    const [plain, behind] = [inner.sample(key), task.sample(key)]
    expect([...behind.tokens]).toEqual([4, ...plain.tokens])
    expect([...behind.targets]).toEqual([-1, ...plain.targets])
    expect([...behind.weights]).toEqual([0, ...plain.weights])
    expect(task.vocabulary).toEqual([...inner.vocabulary, '#'])
    expect(task.length).toBe(17)
  })

  it('leaves text and metric as they are', () => {
    const [plain, behind] = [inner.parse({ input: 'badcab' }), task.parse({ input: 'badcab' })]
    expect([...behind.tokens]).toEqual([4, ...plain.tokens])
    expect(task.format(behind)).toEqual(inner.format(plain))
    const right = Int32Array.of(0, ...plain.targets)
    expect(task.score(behind, right)).toBe(true)
    expect(task.score(behind, right.fill(9, -1))).toBe(false)
    expect(task.shortcuts).toEqual(inner.shortcuts)
  })

  it('counts positions where the task does', () => {
    const sanford = createTask({ name: 'dummy-first', of: { name: 'sanford', n: 20, hops: 2 } })
    const sample = sanford.sample(key)
    const { right, of } = sanford.tally!(sample, sample.targets)
    expect(right).toBe(of)
    expect(of).toBeGreaterThan(0)
  })

  it('lets answers be written behind it; has another name where the task has a #', () => {
    const [plain, behind] = [{ name: 'igsm' }, { name: 'dummy-first', of: { name: 'igsm' } }].map((settings) => {
      const task = createTask(settings)
      return { task, sample: task.sample(key) }
    })
    expect(behind.task.vocabulary.at(-1)).toBe('<dummy>')
    const prompt = behind.task.written!.promptLength(behind.sample)
    expect(prompt).toBe(plain.task.written!.promptLength(plain.sample) + 1)
    expect(behind.task.written!.judge(behind.sample, behind.sample.tokens.subarray(prompt))).toBe(true)
    expect(behind.task.written!.judge(behind.sample, behind.sample.tokens.subarray(prompt, -1))).toBe(false)
  })

  it('can be put in front of itself', () => {
    const twice = createTask({ name: 'dummy-first', of: { name: 'dummy-first', of } })
    expect([...twice.sample(key).tokens.subarray(0, 2)]).toEqual([5, 4])
    expect(new Set(twice.vocabulary).size).toBe(6)
  })

  it.each([
    [{ of: 'phop' }, 'task dummy-first: of must be an object'],
    [{ of: {} }, 'task dummy-first: of.name is missing'],
    [{ of: { name: 'phpo' } }, 'did you mean phop?'],
    [{ of: { name: 'phop', q: 1 } }, 'task phop: there is no setting q'],
    [{ off: of }, 'task dummy-first: there is no setting off'],
  ])('refuses %j', (settings, message) => {
    expect(() => createTask({ name: 'dummy-first', ...settings })).toThrow(LatheError)
    expect(() => createTask({ name: 'dummy-first', ...settings })).toThrow(message)
  })
})

describe('slots', () => {
  const of = { name: 'igsm', minNodes: 2, maxNodes: 3, letters: 8, modulus: 5, maxLength: 48 }
  const input = 'A#C := 4. C#E := A#C + 3. C#E?' // 17 tokens, and an answer of 12
  const task = createTask({ name: 'slots', of, prompt: 20, slots: 15 })
  const sample = task.parse({ input })
  const end = task.vocabulary.indexOf('<end>')
  const dummy = task.vocabulary.length - 1
  const prompt = createTask(of).written!.promptLength(createTask(of).parse({ input }))

  it('hold dummies in place of the answer, each to become its own token', () => {
    expect(prompt).toBe(20)
    expect([...sample.tokens.subarray(20)]).toEqual(new Array(15).fill(dummy))
    const answer = [...createTask(of).parse({ input }).tokens.subarray(20)]
    expect([...sample.targets]).toEqual([...new Array(20).fill(-1), ...answer, end, -1, -1])
    expect([...sample.weights]).toEqual(Array.from(sample.targets, (target) => Number(target >= 0)))
    expect(task.format(sample)).toEqual({ input, target: 'A#C = 4. C#E = 2.' })
  })

  it('are right where the task judges so, whatever comes after the end', () => {
    const said = Int32Array.from(sample.targets)
    expect(task.score(sample, said.fill(7, -2))).toBe(true)
    expect(task.score(sample, said.with(20, 5))).toBe(true) // a slip on the way
    expect(task.score(sample, said.with(30, said[24]))).toBe(false) // another value
    expect(task.score(sample, said.with(32, 7))).toBe(false) // no end
    expect(task.score(sample, said.with(25, dummy))).toBe(false) // a hole
    expect(task.format({ ...sample, targets: said.with(26, dummy) }).target).toBe('A#C = 4.')
    expect(task.format({ ...sample, targets: said.with(20, dummy) }).target).toBe('')
  })

  it('draw problems of one length, a new one for every index', () => {
    const drawn = new Set<string>()
    for (let index = 0; index < 20; index++) {
      const { input } = task.format(task.sample({ seed: 1, split: 'train', index }))
      drawn.add(input)
      const plain = createTask(of).parse({ input })
      expect(createTask(of).written!.promptLength(plain)).toBe(20)
    }
    expect(drawn.size).toBeGreaterThan(15)
  })

  it.each([
    [{ input: 'A#C := 4. A#C?' }, 'problem is 10 tokens: write one of 20'],
    [{ input, target: 'A#C = 4. C#E = 2. C#E = 2.' }, 'answer is 18 tokens: at most 14 fit'],
    [{ input: 'A#C' }, 'input asks for nothing'],
  ])('refuse %j', (example, message) => {
    expect(() => task.parse(example)).toThrow(LatheError)
    expect(() => task.parse(example)).toThrow(message)
  })

  it('say where nothing fits', () => {
    const odd = createTask({ name: 'slots', of, prompt: 21, slots: 15 })
    expect(() => odd.sample({ ...key, split: 'train' })).toThrow(
      'none of 1000 problems is 21 tokens, with an answer of less than 15',
    )
  })

  it.each([
    [{ of: { name: 'phop' } }, 'task slots: of phop, nothing is written: name one like igsm'],
    [{ of, prompt: 0 }, 'task slots: prompt must be a whole number from 1 to 65535, got 0'],
    [{ of, slots: 1.5 }, 'task slots: slots must be a whole number'],
  ])('refuse the settings %j', (settings, message) => {
    expect(() => createTask({ name: 'slots', ...settings })).toThrow(LatheError)
    expect(() => createTask({ name: 'slots', ...settings })).toThrow(message)
  })
})
