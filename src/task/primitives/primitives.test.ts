import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask } from '../index.ts'
import { type Split, type Task, UndefinedAnswerError } from '../task.ts'
import { promptText } from './equations.ts'

const primitives = (settings: object) => createTask({ name: 'primitives', ...settings })
const texts = (task: Task, count: number, split: Split = 'train') =>
  Array.from({ length: count }, (_, index) => task.format(task.sample({ seed: 4, split, index })))

const all = [
  { kind: 'copy' },
  { kind: 'psm' },
  { kind: 'assign', depth: 0 },
  { kind: 'assign', depth: 1, form: 'code' },
  { kind: 'assign', depth: 2 },
]
const aliases = 'n=22, t=3, q=9, b=14, m=7, z=n, k=t, a=q, u=b, w=m'

/** The answer by following names through the text. */
function followed(input: string): string {
  let name = input.replaceAll(' ', '').at(-3)!
  while (!/\d/.test(name)) name = new RegExp(`${name}=(\\w+)`).exec(input.replaceAll(' ', ''))![1]!
  return name
}

/** The answer by putting numbers in the place of names. */
function added(input: string): string {
  const [first, second, sum] = input.split(', ').map((statement) => statement.split('=')) as [string, string][]
  const numbers = sum![1].replace(first![0], first![1]).replace(second![0], second![1])
  return String(numbers.match(/[+-]?\d+/g)!.reduce((total, number) => total + Number(number), 0))
}

/** The answer by the only place where the last five items stand together before. */
function continued(input: string): string {
  const items = input.replaceAll(' ', '')
  return items.charAt(items.indexOf(items.slice(-5)) + 5)
}

const answers = { copy: continued, psm: added, assign: followed }

describe('the checkers', () => {
  it.each([
    [followed, `${aliases}, k=?`, '3'],
    [followed, `${aliases}, x=k, y=z, y=?`, '22'],
    [followed, 'n = 22; t = 3; z = n; k = t; z = ?', '22'],
    [added, 'z=6, b=5, i=-z+b, i=?', '-1'],
    [added, 'z=6, b=5, i=b-z, i=?', '-1'],
    [continued, 'q x b n t d w a k p b n t d w', 'a'],
  ])('%o answers %s with %s', (check, input, answer) => {
    expect(check(input)).toBe(answer)
  })
})

describe('worked examples', () => {
  it.each([
    [{ depth: 1 }, `${aliases}, k=?`, '3'],
    [{ depth: 1, form: 'code' }, 'n = 22; t = 3; z = n; k = t; z = ?', '22'],
    [{ depth: 0 }, 'n=22, t=3, t=?', '3'],
    [{ depth: 2 }, `${aliases}, x=k, y=z, y=?`, '22'],
    [{ kind: 'psm' }, 'z=6, b=5, i=-z+b, i=?', '-1'],
    [{ kind: 'psm' }, 'z=6, b=5, i=-z-b, i=?', '-11'],
    [{ kind: 'psm' }, 'z=6, b=5, i=b+z, i=?', '11'],
    [{ kind: 'copy' }, 'q x b n t d w a k p b n t d w', 'a'],
    [{ kind: 'copy' }, 'a b c a b d a b', 'd'], // of two places the later
    [{ kind: 'copy' }, 'x a b y a c x a', 'b'], // the longer repetition, not the later
    [{ kind: 'copy' }, 'a a', 'a'],
  ])('%j: %s', (settings, input, target) => {
    const task = primitives(settings)
    expect(task.format(task.parse({ input }))).toEqual({ input, target })
  })
})

describe.each(all)('%j', (settings) => {
  const task = primitives(settings)

  it('has samples that an independent reading answers alike, one answer at the end', () => {
    const check = answers[settings.kind as 'copy']
    // 100,000 over the five of them.
    for (let index = 0; index < 20_000; index++) {
      const { input, target } = task.format(task.sample({ seed: 4, split: 'train', index }))
      if (check(input) !== target) expect([input, target]).toEqual([input, check(input)])
    }
    const { tokens, targets, weights } = task.sample({ seed: 0, split: 'train', index: 0 })
    expect([...targets.slice(0, -1)]).toEqual(new Array(tokens.length - 1).fill(-1))
    expect([...weights]).toEqual([...new Array(tokens.length - 1).fill(0), 1])
  }, 120_000)

  it('has splits that never meet', () => {
    const inputs = (['train', 'validation', 'test'] as const).flatMap((split) => [
      ...new Set(texts(task, 300, split).map(({ input }) => input)),
    ])
    expect(new Set(inputs).size).toBe(inputs.length)
    expect(inputs.length).toBeGreaterThan(850)
  })

  it('reads back what it writes, and scores against the given target', () => {
    for (let index = 0; index < 100; index++) {
      const sample = task.sample({ seed: 8, split: 'test', index })
      expect(task.parse(task.format(sample))).toEqual(sample)
    }
    const sample = task.sample({ seed: 8, split: 'test', index: 0 })
    const { input, target } = task.format(sample)
    const wrong = task.parse({ input, target: task.vocabulary.at(target === task.vocabulary.at(-1) ? -2 : -1)! })
    expect([task.score(sample, sample.targets), task.score(wrong, sample.targets)]).toEqual([true, false])
    expect(task.score(wrong, wrong.targets)).toBe(true)
  })
})

describe('what is drawn', () => {
  it('has the shape of the prompts', () => {
    for (const depth of [0, 1, 2]) {
      for (const { input } of texts(primitives({ depth }), 200)) {
        const layers = input.split(', ').slice(0, -1)
        expect(layers).toHaveLength(5 * (depth + 1))
        expect(new Set(layers.map((line) => line[0])).size).toBe(layers.length)
        expect(new Set(layers.map((line) => line.slice(2))).size).toBe(layers.length) // one to one
        expect(layers.slice(0, 5).join()).toMatch(/^([a-z]=\d+,?){5}$/)
        expect(layers.slice(5).join()).toMatch(/^([a-z]=[a-z],?)*$/)
        expect(layers.slice(-5).map((line) => line[0])).toContain(input.at(-3))
      }
    }
    for (const { input } of texts(primitives({ kind: 'copy' }), 200)) {
      const items = input.split(' ')
      expect([items.length, new Set(items).size]).toEqual([15, 10])
    }
    for (const { input } of texts(primitives({ kind: 'psm' }), 200)) {
      expect(input).toMatch(/^([a-z])=[1-9], ([a-z])=[1-9], ([a-z])=-?(\1[+-]\2|\2[+-]\1), \3=\?$/)
    }
  })

  it('is the same problem in both forms', () => {
    const [math, code] = ['math', 'code'].map((form) => primitives({ depth: 2, form }))
    const key = { seed: 1, split: 'train', index: 3 } as const
    expect(code!.sample(key)).toEqual(math!.sample(key))
    expect(code!.format(code!.sample(key)).input).toMatch(/^([a-z] = (\d+|[a-z]); ){15}[a-z] = \?$/)
  })

  it('of one seed, split and index never changes', () => {
    const first = (settings: object) => texts(primitives(settings), 1)[0]
    expect([{ kind: 'copy' }, { kind: 'psm' }, { depth: 1 }].map(first)).toEqual([
      { input: 'b w j k e x l f q c b w j k e', target: 'x' },
      { input: 'b=1, w=1, j=-w-b, j=?', target: '-2' },
      { input: 'b=9, w=7, j=24, k=25, e=21, x=j, l=b, f=w, q=e, c=k, l=?', target: '9' },
    ])
  })
})

describe('shortcuts', () => {
  const accuracies = (settings: object, guesses: ((input: string) => string)[]) => {
    const samples = texts(primitives(settings), 5_000)
    return guesses.map(
      (guess) => samples.filter(({ input, target }) => guess(input) === target).length / samples.length,
    )
  }

  const guesses: Record<string, (input: string) => string> = {
    'first value': (input) => /\d+/.exec(input)![0],
    'latest value': (input) => input.match(/\d+/g)!.at(-1)!,
    'end of list': (input) => input.split(' ')[9]!,
    'copy last': (input) => input.at(-1)!,
    'signs ignored': (input) => {
      const value = (name: string) => Number(input.match(new RegExp(`${name}=(\\d+)`))![1])
      const [, a, b] = input.match(/=-?([a-z])[+-]([a-z])/)!
      return String(value(a!) + value(b!))
    },
  }

  it.each([{ kind: 'copy' }, { depth: 0 }, { depth: 2 }, { kind: 'psm' }])(
    'of %j reach what the task says',
    (settings) => {
      const { shortcuts } = primitives(settings)
      expect(shortcuts.length).toBeGreaterThan(0)
      const reached = accuracies(
        settings,
        shortcuts.map(({ name }) => guesses[name]!),
      )
      for (const [i, { accuracy }] of shortcuts.entries()) expect(Math.abs(reached[i]! - accuracy)).toBeLessThan(0.025)
    },
  )

  it.each([
    [0, 1],
    [1, 1 / 5],
    [2, 1 / 5],
  ])('of the value at the place of the variable asked for, at depth %i: %d', (depth, expected) => {
    const atPlace = (input: string) => {
      const place = input.split(', ').findIndex((line) => line[0] === input.at(-3))
      return input.match(/\d+/g)![place % 5]!
    }
    expect(Math.abs(accuracies({ depth }, [atPlace])[0]! - expected)).toBeLessThan(0.025)
  })

  it('of a constant reach chance, 0 being the likeliest sum', () => {
    const reached = accuracies(
      { kind: 'psm' },
      Array.from({ length: 37 }, (_, i) => () => String(i - 18)),
    )
    expect(Math.abs(reached[18]! - primitives({ kind: 'psm' }).chance)).toBeLessThan(0.01)
    for (const each of reached) expect(each).toBeLessThan(primitives({ kind: 'psm' }).chance + 0.01)
    const [letter] = accuracies({ kind: 'copy' }, [() => 'e'])
    expect(Math.abs(letter! - primitives({ kind: 'copy' }).chance)).toBeLessThan(0.01)
  })
})

describe('text form', () => {
  it('takes either form', () => {
    const [math, code] = [primitives({}), primitives({ form: 'code' })]
    const input = 'n=22, z=n, z=?'
    expect(math.parse({ input: 'n = 22; z=n ;z=?' })).toEqual(math.parse({ input }))
    expect(code.format(code.parse({ input })).input).toBe('n = 22; z = n; z = ?')
  })

  it.each([
    [{}, '', undefined, 'input has 0 tokens: write 1 to 43'],
    [{}, 'n=1, '.repeat(11), undefined, 'input has 44 tokens: write 1 to 43'],
    [{}, 'n=22', undefined, 'input asks for nothing: end it like n=22, z=n, z=?'],
    [{}, 'n=22, n', undefined, 'input asks for nothing'],
    [{}, 'n=26, n=?', undefined, 'input has "26": write it like n=22, z=n, z=?'],
    [{}, 'n=02, n=?', undefined, 'input has "02": write'],
    [{}, 'N=2, N=?', undefined, 'input has "N": write'],
    [{}, 'n=2+3, n=?', undefined, 'input has "+": write'],
    [{}, 'n=2 3, n=?', undefined, 'statement 1, "n = 2 3", cannot be read: write it like i=-z+b'],
    [{}, 'n=2, , n=?', undefined, 'statement 2, "", cannot be read'],
    [{}, 'n=2, n=3, n=?', undefined, 'statement 2 gives n a second value: keep one'],
    [{}, 'n=2, n=?', '26', 'target "26" is no answer: write one from 1 to 25'],
    [{}, 'n=2, n=?', 'n', 'target "n" is no answer'],
    [{ kind: 'psm' }, 'n=18, m=18, k=n+m, k=?', undefined, 'input has the answer 36: answers go from -18 to 18'],
    [{ kind: 'psm' }, 'n=8, m=n*2, m=?', undefined, 'input has "*": write it like z=6, b=5, i=-z+b, i=?'],
    [{ kind: 'copy' }, 'a b, a', undefined, 'input has ",": write it like k d x a d'],
    [{ kind: 'copy' }, 'a b a', 'bb', 'target "bb" is no answer: write one from a to z'],
  ])('of %j refuses %j with target %j', (settings, input, target, message) => {
    const read = () => primitives(settings).parse(target === undefined ? { input } : { input, target })
    expect(read).toThrow(LatheError)
    expect(read).not.toThrow(UndefinedAnswerError)
    expect(read).toThrow(message)
  })

  it.each([
    [{}, 'n=22, z=?', 'z is used, but no statement before gives it a value: write z=… first'],
    [{}, 'z=n, n=22, z=?', 'n is used, but no statement before gives it a value'],
    [{}, 'z=z, z=?', 'z is used'],
    [{ kind: 'copy' }, 'a b c', 'input has no answer: its last item, c, does not occur before'],
    [{ kind: 'copy' }, 'a', 'input has no answer'],
  ])('of %j tells apart %j, which has no answer', (settings, input, message) => {
    expect(() => primitives(settings).parse({ input })).toThrow(UndefinedAnswerError)
    expect(() => primitives(settings).parse({ input })).toThrow(message)
  })

  it.each([
    [{ kind: 'add' }, 'task primitives: kind must be "copy", "assign" or "psm", got "add"'],
    [{ depth: 3 }, 'task primitives: depth must be 0, 1 or 2, got 3'],
    [{ form: 'prose' }, 'task primitives: form must be "math" or "code", got "prose"'],
  ])('refuses settings %j', (settings, message) => {
    expect(() => primitives(settings)).toThrow(message)
  })
})

describe('promptText', () => {
  it('writes mathematics', () => {
    expect(promptText('n=22, z=n, z=?', 'math')).toBe(
      'The following is a set of simple mathematical equations.\n\nn=22\nz=n\nWhat is the numerical value of z?\nAnswer:',
    )
  })

  it('writes code', () => {
    expect(promptText('n = 22; z = n; z = ?', 'code')).toBe(
      'The following is a very short Python program. Use the program to resolve the value of the variable in the question.\n' +
        'Program:\nn = 22\nz = n\n\nQuestion:\nWhat is the value of z?\nAnswer:',
    )
  })
})
