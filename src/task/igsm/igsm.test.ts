import { describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { createTask, findTask } from '../index.ts'
import { type Split, type Task, UndefinedAnswerError } from '../task.ts'

const igsm = (settings: object = {}) => createTask({ name: 'igsm', ...settings })
const paper = findTask('igsm').paper.igsm as object

/** Table 2 of the paper, and the example of its poster. */
const table =
  'E#I := 4. E#J := E#I. K#N := I#N + J#O + F#K. F#K := E#J. J#O := F#K + K#O + E#J. H#J := E#J + F#K. ' +
  'I#P := L#M + I#N + K#O. I#M := J#O + J#P + F#K. J#P := H#J - F#K. L#M := I#N + J#P + F#K. ' +
  'I#N := 2 * J#P + H#J + E#I. K#O := J#P + I#N + E#J. I#P?'
const poster = 'E#I := 4. A#B := E#I + J#K. J#K := E#I + 3. F#G := A#B + J#K. F#G?'

/** The value of an expression of numbers; a factor multiplies all that follows. */
function arithmetic(expression: string, modulus: number): number {
  const [, factor = '1', sum] = /^(?:(\d+) \* )?(.*)$/.exec(expression)!
  const total = sum!
    .replaceAll(' ', '')
    .match(/[+-]?\d+/g)!
    .reduce((a, number) => a + Number(number), 0)
  return (((Number(factor) * total) % modulus) + modulus) % modulus
}

/** The answer by rewriting the text: a definition without names is put in wherever its name stands. */
function rewritten(text: string, modulus: number): string {
  let rest = text
  while (!/^\d+\?$/.test(rest)) {
    const [sentence, name, expression] = /(\w#\w) := ([^#.]*)\. /.exec(rest)!
    rest = rest.replace(sentence!, '').replaceAll(name!, String(arithmetic(expression!, modulus)))
  }
  return rest.slice(0, -1)
}

/** The same by looking up, for many problems: the value of a name is that of its sentence, modulo 7. */
function lookedUp(text: string): string {
  const definitions = text.split('. ').slice(0, -1)
  const sentences = new Map(definitions.map((sentence) => [sentence.slice(0, 3), sentence.slice(7)]))
  const known = new Map<string, number>()
  const valueAt = (name: string): number => {
    const before = known.get(name)
    if (before !== undefined) return before
    const words = sentences.get(name)!.split(' ')
    const factor = words[1] === '*' ? Number(words.splice(0, 2)[0]) : 1
    let value = 0
    for (const [i, word] of words.entries()) {
      if (i % 2 === 1) continue
      value += (words[i - 1] === '-' ? -1 : 1) * (word.includes('#') ? valueAt(word) : Number(word))
    }
    value = (((factor * value) % 7) + 7) % 7
    known.set(name, value)
    return value
  }
  return String(valueAt(text.slice(-4, -1)))
}

/** The names that the query needs, by walking up from it. */
function needed(text: string): Set<string> {
  const names = new Set([text.slice(-4, -1)])
  for (const name of names) {
    for (const operand of text.split(`${name} := `)[1]!.split('.')[0]!.match(/\w#\w/g) ?? []) names.add(operand)
  }
  return names
}

/** What is wrong with a problem and a full solution of it, judged by their texts. */
function faults({ input, target }: { input: string; target: string }, modulus: number): string[] {
  const names = needed(input)
  const known = new Map<string, string>()
  const found: string[] = []
  for (const step of target.slice(0, -1).split('. ')) {
    const [, name, value] = /(\w#\w) = (\d+)$/.exec(step) as unknown as [string, string, string]
    const [left, expression] = step.includes(' => ') ? step.split(' => ')[0]!.split(' = ') : [name, value]
    if (left !== name) found.push(`${left} ends as ${name}`)
    if (!names.delete(name)) found.push(`${name} is not needed or comes twice`)
    if (!input.includes(`${name} := ${expression}.`)) found.push(`${name} is not defined as ${expression}`)
    const numbers = expression.replaceAll(/\w#\w/g, (operand) => known.get(operand) ?? '?')
    if (numbers.includes('?')) found.push(`${name} comes before its operands`)
    else if (String(arithmetic(numbers, modulus)) !== value) found.push(`${name} is not ${value}`)
    known.set(name, value)
  }
  if (names.size > 0) found.push(`${[...names]} are missing`)
  if (known.get(input.slice(-4, -1)) !== rewritten(input, modulus)) found.push('the answer is wrong')
  return found
}

const texts = (task: Task, count: number, split: Split = 'train') =>
  Array.from({ length: count }, (_, index) => task.format(task.sample({ seed: 7, split, index })))

describe('definition', () => {
  it('solves the example of Table 2 in its order: 4, 4, 4, 1, 4, 4, 5, 5, 0', () => {
    expect(
      igsm({ ...paper, steps: 'values' }).format(igsm({ ...paper, steps: 'values' }).parse({ input: table })),
    ).toEqual({
      input: table,
      target: 'E#I = 4. E#J = 4. F#K = 4. H#J = 1. J#P = 4. I#N = 4. L#M = 5. K#O = 5. I#P = 0.',
    })
    expect(igsm(paper).format(igsm(paper).parse({ input: table })).target).toBe(
      'E#I = 4. E#J = E#I => E#J = 4. F#K = E#J => F#K = 4. H#J = E#J + F#K => H#J = 1. J#P = H#J - F#K => J#P = 4. ' +
        'I#N = 2 * J#P + H#J + E#I => I#N = 4. L#M = I#N + J#P + F#K => L#M = 5. ' +
        'K#O = J#P + I#N + E#J => K#O = 5. I#P = L#M + I#N + K#O => I#P = 0.',
    )
    expect([rewritten(table, 7), lookedUp(table)]).toEqual(['0', '0'])
  })

  it('solves the example of the poster', () => {
    const { target } = igsm().format(igsm().parse({ input: poster }))
    expect(target).toBe('E#I = 4. J#K = 0. A#B = 4. F#G = 4.')
    expect([rewritten(poster, 7), lookedUp(poster)]).toEqual(['4', '4'])
  })

  it.each([
    ['A#E := 3. A#F := 2 * A#E + A#E. A#F?', 7, '5'], // and not 2
    ['A#E := 3. A#F := 2 * A#E - 5. A#F?', 7, '3'], // 2 · (3 − 5) = −4
    ['A#E := 3 - 5 - 6. A#E?', 7, '6'],
    ['A#E := 6 * 6 + 6. A#E?', 7, '2'],
    ['A#E := 6 * 6 + 6. A#E?', 10, '2'],
    ['A#E := 2. A#F := A#E - 4. A#F?', 10, '8'],
  ])('evaluates %s modulo %i', (input, modulus, value) => {
    const { target } = igsm({ modulus }).format(igsm({ modulus }).parse({ input }))
    expect(target.split(' ').at(-1)).toBe(`${value}.`)
    expect(rewritten(input, modulus)).toBe(value)
  })

  it.each([
    ['A#E := 1. A#F?', 'A#F is asked for, but not defined: add a definition A#F := …'],
    ['A#F?', 'A#F is asked for, but not defined'],
    ['A#E := 1. A#F := A#E + B#F. A#F?', 'A#F uses B#F, which is not defined: add a definition B#F := …'],
    ['A#E := 1. A#F := A#E + B#F. A#E?', 'A#F uses B#F, which is not defined'],
    ['A#E := A#E + 1. A#E?', 'A#E depends on itself: A#E needs A#E: give one of them a value that needs no other'],
    ['A#E := A#F. A#F := B#E. B#E := B#F + A#F. B#F := 2. A#E?', 'A#F depends on itself: A#F needs B#E needs A#F:'],
    ['A#F := B#E. B#E := A#F. B#F := 2. B#F?', 'A#F depends on itself'],
  ])('has no answer to %s', (input, message) => {
    expect(() => igsm().parse({ input })).toThrow(UndefinedAnswerError)
    expect(() => igsm().parse({ input })).toThrow(message)
  })
})

describe('samples', () => {
  it.each([
    ['by default', { steps: 'full', maxLength: 400 }, 5_000],
    ['at the sizes of the paper', paper, 2_000],
    ['modulo 12', { modulus: 12, steps: 'full', maxLength: 400 }, 1_000],
    [
      'with 4 operands and few letters',
      { letters: 8, maxNodes: 12, operands: 4, steps: 'full', maxLength: 400 },
      1_000,
    ],
    ['where nothing else is defined', { distractors: 0, minNodes: 2, maxNodes: 5, steps: 'full' }, 1_000],
  ])('%s have a solution that is right, minimal and in order', (_, settings, count) => {
    const { modulus = 7 } = settings as { modulus?: number }
    for (const text of texts(igsm(settings), count)) {
      const found = faults(text, modulus)
      if (found.length > 0) expect.fail(`${text.input} → ${text.target}: ${found.join(', ')}`)
    }
  })

  it('by default have the answer that their sentences give, 100,000 of them, of at most 10 in 128 tokens', () => {
    const task = igsm()
    expect(task.length).toBe(128)
    for (let index = 0; index < 100_000; index++) {
      const { input, target } = task.format(task.sample({ seed: 1, split: 'train', index }))
      if (target.at(-2) !== lookedUp(input)) expect([input, target]).toEqual([input, lookedUp(input)])
      if (input.split('. ').length > 11) expect.fail(`${input} has more than 10 definitions`)
    }
  }, 120_000)

  it('that are spoilt are found out', () => {
    const good = { input: 'A#E := 4. B#E := A#E + 1. C#G := A#E. B#E?', target: 'A#E = 4. B#E = A#E + 1 => B#E = 5.' }
    expect(faults(good, 7)).toEqual([])
    expect(lookedUp('A#E := 3. A#F := 2 * A#E - 5. A#F?')).toBe('3')
    const faultsOf = (target: string) => faults({ ...good, target }, 7).join(', ')
    expect(faultsOf('A#E = 4. B#E = A#E + 1 => B#E = 4.')).toContain('B#E is not 4')
    expect(faultsOf('A#E = 4. C#G = A#E + 1 => B#E = 5.')).toContain('C#G ends as B#E')
    expect(faultsOf('B#E = A#E + 1 => B#E = 5. A#E = 4.')).toContain('comes before its operands')
    expect(faultsOf('A#E = 4. C#G = A#E => C#G = 4. B#E = A#E + 1 => B#E = 5.')).toContain('C#G is not needed')
    expect(faultsOf('B#E = 5 => B#E = 5.')).toContain('A#E are missing')
  })

  it('write values alone in the same order', () => {
    const full = texts(igsm({ steps: 'full', maxLength: 400 }), 300)
    const values = texts(igsm({ maxLength: 400 }), 300)
    for (const [i, { input, target }] of full.entries()) {
      expect(values[i]).toEqual({ input, target: target.replaceAll(/ = [^.]* = /g, ' = ') })
    }
  })

  it('are of the sizes that are set, in names of consecutive levels, over one constant', () => {
    const sizes = new Map<number, number>()
    for (const { input } of texts(igsm({ minNodes: 4, maxNodes: 7, maxLength: 400, operands: 3 }), 2000)) {
      const definitions = input.split('. ').slice(0, -1)
      sizes.set(definitions.length, (sizes.get(definitions.length) ?? 0) + 1)
      expect(needed(input).size).toBe(definitions.length - Math.round(definitions.length / 4))
      expect(definitions.filter((definition) => /:= \d$/.test(definition))).toHaveLength(1)
      for (const definition of definitions) {
        const [first, second] = [definition.charCodeAt(0) - 65, definition.charCodeAt(2) - 65]
        expect(Math.floor(second / 4) - Math.floor(first / 4)).toBe(1)
        expect(definition.match(/#/g)!.length).toBeLessThanOrEqual(4)
      }
    }
    expect([...sizes.keys()].sort()).toEqual([4, 5, 6, 7])
    for (const count of sizes.values()) expect(Math.abs(count / 2000 - 0.25)).toBeLessThan(0.04)
  })

  it('have every form of an expression about as often in what the query needs', () => {
    const counts = new Map<string, number>()
    for (const { target } of texts(igsm({ minNodes: 4, maxNodes: 5, letters: 8, steps: 'full' }), 4000)) {
      for (const [, expression] of target.matchAll(/ = ([^.=]*#[^.=]*) => /g)) {
        const form = expression!.replaceAll(/\w#\w/g, 'X').replaceAll(/\d/g, 'c')
        counts.set(form, (counts.get(form) ?? 0) + 1)
      }
    }
    const all = [...counts.values()].reduce((a, b) => a + b)
    expect([...counts.keys()].sort()).toEqual(['X', 'X + X', 'X + c', 'X - X', 'c * X', 'c * X + X'])
    for (const [form, count] of counts) expect([form, Math.abs(count / all - 1 / 6) < 0.04]).toEqual([form, true])
  })

  it('have no form that is not among those that are set', () => {
    const sizes = { letters: 8, steps: 'full', maxLength: 400, operands: 3, forms: ['offset', 'product'] }
    const expressions = texts(igsm(sizes), 500).flatMap(({ input }) => [...input.matchAll(/:= ([^.]*#[^.]*)\./g)])
    expect(expressions.length).toBeGreaterThan(1000)
    for (const [, expression] of expressions) {
      expect(expression).toMatch(/^(\w#\w \+ \d|\d \* \w#\w( \+ \w#\w)*)$/)
    }
    expect(expressions.some(([, expression]) => expression!.split('#').length === 4)).toBe(true)
  })

  it.each([{}, { ...paper, maxLength: 300 }, { maxNodes: 10, steps: 'full' }])(
    'of %j never exceed the length',
    (settings) => {
      const task = igsm(settings)
      const lengths = Array.from(
        { length: 1000 },
        (_, index) => task.sample({ seed: 1, split: 'train', index }).tokens.length,
      )
      expect(Math.max(...lengths)).toBeLessThanOrEqual(task.length)
      expect(Math.max(...lengths)).toBeGreaterThan(task.length - 5)
    },
  )

  it('hold problem then answer, and predict the answer and its end', () => {
    const task = igsm()
    const { promptLength, end } = task.written!
    const sample = task.sample({ seed: 0, split: 'train', index: 0 })
    const from = promptLength(sample)
    expect(task.vocabulary[sample.tokens[from - 1]!]).toBe('?')
    expect([...sample.targets]).toEqual([...new Array(from - 1).fill(-1), ...sample.tokens.slice(from), end])
    expect(sample.tokens).not.toContain(end)
    expect([...sample.weights]).toEqual([...sample.targets].map((target) => (target === -1 ? 0 : 1)))
  })

  it('of different splits have different solution templates', () => {
    const templates = (split: Split) =>
      texts(igsm({ steps: 'full', maxLength: 400 }), 500, split).map(({ target }) => {
        const names: string[] = []
        return target.replaceAll(/\d/g, '0').replaceAll(/\w#\w/g, (name) => {
          if (!names.includes(name)) names.push(name)
          return `x${names.indexOf(name)}`
        })
      })
    const all = new Set<string>()
    const sizes = (['train', 'validation', 'test'] as const).map((split) => {
      const own = new Set(templates(split))
      for (const each of own) all.add(each)
      return own.size
    })
    expect(all.size).toBe(sizes.reduce((a, b) => a + b))
    expect(Math.min(...sizes)).toBeGreaterThan(100)
  })

  it('of fewer than four steps are all for training', () => {
    const steps = (sizes: object, split: Split) =>
      new Set(texts(igsm(sizes), 300, split).map(({ target }) => target.split('. ').length))
    const mixed = { minNodes: 3, maxNodes: 5 }
    expect(steps(mixed, 'train')).toEqual(new Set([2, 3, 4]))
    for (const split of ['validation', 'test'] as const) expect(steps(mixed, split)).toEqual(new Set([4]))
    expect(() => steps({ minNodes: 3, maxNodes: 4 }, 'test')).toThrow(
      /belongs to its test split: there are too few of them/,
    )
  })

  it('whose answers the settings all but exclude are told, not drawn for ever', () => {
    const sizes = { minNodes: 100, maxNodes: 100, operands: 1, letters: 24, modulus: 10, maxLength: 4000 }
    expect(() => texts(igsm({ ...sizes, forms: ['product'] }), 1)).toThrow(
      /^task igsm: in none of 10000 draws of 100 definitions does every answer modulo 10 occur: set modulus to a prime/,
    )
  })

  it('of one seed, split and index never change', () => {
    expect(texts(igsm(), 1)[0]).toMatchInlineSnapshot(`
      {
        "input": "J#P := F#K. H#K := E#I - J#P. E#I := F#K + 4. G#K := E#I + 5. F#K := 0. J#O := H#K + F#K. E#K := G#K + J#P. E#K?",
        "target": "F#K = 0. J#P = 0. E#I = 4. G#K = 2. E#K = 2.",
      }
    `)
  })

  it('that cannot fit are an error', () => {
    const task = igsm({ minNodes: 12, maxNodes: 14, maxLength: 100 })
    expect(() => task.sample({ seed: 0, split: 'train', index: 0 })).toThrow(
      'task igsm: none of 1000 problems fits 100 tokens: set maxLength higher or maxNodes lower',
    )
  })
})

describe('shortcuts', () => {
  const samples = texts(igsm(), 10_000).map(({ input, target }) => ({ input, answer: target.at(-2)! }))
  const accuracy = (guess: (input: string) => string) =>
    samples.filter(({ input, answer }) => guess(input) === answer).length / samples.length

  const constant = (input: string) => / := (\d)\./.exec(input)![1]!
  const mostFrequent = (input: string) =>
    [...'0123456'].reduce((a, b) => (input.split(b).length > input.split(a).length ? b : a))

  /** The query from its own expression and those up to `levels` above it; what is above these counts as the constant. */
  function cut(input: string, levels: number, name = input.slice(-4, -1)): string {
    if (levels === 0) return constant(input)
    const expression = input.split(`${name} := `)[1]!.split('.')[0]!
    return String(
      arithmetic(
        expression.replaceAll(/\w#\w/g, (operand) => cut(input, levels - 1, operand)),
        7,
      ),
    )
  }

  it.each([...'0123456'])('always %s: chance', (digit) => {
    expect(igsm().written!.chance).toBe(1 / 7)
    expect(igsm().chance).toBe(7 ** -4) // of 6 definitions, 4 are needed
    expect(Math.abs(accuracy(() => digit) - 1 / 7)).toBeLessThan(0.015)
  })

  it.each([
    ['the most frequent number', mostFrequent, 0.21],
    ['the constant', constant, 0.24],
    ['the expression of the query, over the constant', (input: string) => cut(input, 1), 0.21],
    ['two levels of expressions', (input: string) => cut(input, 2), 0.29],
    ['three levels of expressions', (input: string) => cut(input, 3), 0.61],
    ['a factor of the first operand alone', (input: string) => rewritten(distributed(input), 7), 0.63],
  ])('%s reaches what was measured', (_, guess, measured) => {
    const reached = accuracy(guess)
    expect([reached, Math.abs(reached - measured) < 0.02]).toEqual([reached, true])
  })
})

/** The problem as ordinary precedence would read it: c * a + b becomes b plus c times a. */
function distributed(input: string): string {
  return input.replaceAll(/(\d) \* (\w#\w) ([+-]) (\w#\w)/g, (_, factor, a, sign, b) =>
    [...new Array(Number(factor)).fill(a)].join(' + ').concat(` ${sign} ${b}`),
  )
}

describe('score and judge', () => {
  const task = igsm()
  const { promptLength, judge } = task.written!
  const sample = task.parse({ input: poster })
  const solution = sample.tokens.subarray(promptLength(sample))
  const ids = (text: string) => task.parse({ input: poster, target: text }).tokens.subarray(promptLength(sample))

  it('score the whole solution, its end included, and nothing else', () => {
    for (let i = 0; i < sample.targets.length; i++) {
      const changed = sample.targets.with(i, (sample.targets[i]! + 1) % task.vocabulary.length)
      expect(task.score(sample, changed)).toBe(sample.targets[i] === -1)
    }
  })

  it('judge the final value, however it was reached', () => {
    expect(judge(sample, solution)).toBe(true)
    expect(judge(sample, ids('F#G = 4.'))).toBe(true)
    expect(judge(sample, ids('E#I = 0. E#I = 1 = = 4.'))).toBe(true)
    expect(judge(sample, ids('E#I = 4. J#K = 0. A#B = 4. F#G = 3.'))).toBe(false)
    expect(judge(sample, ids('E#I = 4. J#K = 0.'))).toBe(false)
  })

  it('judge an answer that was cut off as wrong', () => {
    for (let length = 0; length < solution.length; length++) {
      // The first and the third step end in the same value.
      if (length !== 6 && length !== 18) expect(judge(sample, solution.subarray(0, length))).toBe(false)
    }
    expect(judge(sample, solution.with(-1, task.written!.end))).toBe(false)
  })
})

describe('text form', () => {
  const task = igsm()
  const read = (input: string, target?: string) => task.parse(target === undefined ? { input } : { input, target })

  it('takes the definition, a full solution or a value as what is scored', () => {
    const own = read(poster)
    expect(read(poster, 'E#I = 4. J#K = 0. A#B = 4. F#G = 4.')).toEqual(own)
    expect(read(poster, '4')).toEqual(own)
    expect(task.format(read(poster, '6')).target).toBe('E#I = 4. J#K = 0. A#B = 4. F#G = 6.')
    expect(task.format(read(poster, 'F#G = 2.')).target).toBe('F#G = 2.')
    const wrong = read(poster, '6')
    expect([task.score(wrong, wrong.targets), task.score(wrong, own.targets)]).toEqual([true, false])
    expect(task.written!.judge(wrong, own.tokens.slice(-6))).toBe(false)
  })

  it.each(['spelled', 'whole'])('needs no spaces, and takes any, where names are %s', (names) => {
    const { parse } = igsm({ names })
    const own = parse({ input: poster })
    expect(parse({ input: poster.replaceAll(' ', '') })).toEqual(own)
    expect(parse({ input: ` ${poster.replaceAll(/(?<=.)/g, ' ').replaceAll(': =', ':=')}\n` })).toEqual(own)
  })

  it('is the same where names are whole, in fewer tokens', () => {
    const settings = { steps: 'full', maxLength: 400 }
    const whole = igsm({ ...settings, names: 'whole' })
    const spelled = texts(igsm(settings), 300)
    expect(texts(whole, 300)).toEqual(spelled)
    const words = (text: string) => text.match(/\w#\w|:=|=>|\S/g)!
    for (const { input, target } of spelled) {
      const { tokens } = whole.parse({ input, target })
      expect(Array.from(tokens, (token) => whole.vocabulary[token])).toEqual([...words(input), ...words(target)])
    }
  })

  it.each([
    ['E#Z := 4. E#Z?', 'input has "E#Z": write names as A#P of letters A to P, := = => + - * . ? and whole numbers'],
    ['E#I := 4. E?', 'input has "E": write names as A#P'],
    ['E#I := 4. # := 5. E#I?', 'input has "#": write names as A#P'],
    ['E#I := 4. E#I E#I?', 'input asks for nothing'],
  ])('where names are whole, refuses %j', (input, message) => {
    expect(() => igsm({ names: 'whole' }).parse({ input })).toThrow(message)
  })

  it('reads back what it writes', () => {
    for (const settings of [
      {},
      { steps: 'full', maxLength: 300 },
      paper,
      { modulus: 23, letters: 8 },
      { names: 'whole' },
    ]) {
      const any = igsm(settings)
      for (let index = 0; index < 30; index++) {
        const sample = any.sample({ seed: 3, split: 'validation', index })
        expect(any.parse(any.format(sample))).toEqual(sample)
        expect(any.parse({ input: any.format(sample).input })).toEqual(sample)
      }
    }
  })

  it.each([
    ['', undefined, 'input asks for nothing: end it with one name and ?, such as E#J?'],
    ['E#I := 4.', undefined, 'input asks for nothing'],
    ['E#I := 4. E#I', undefined, 'input asks for nothing'],
    ['E#I := 4. E#I? E#J?', undefined, 'definition 2, "E#I?", cannot be read: write it like E#J := 2 * E#I - F#K + 3.'],
    ['E#I := 4 E#J := 3. E#I?', undefined, 'definition 1, "E#I := 4 E#J := 3.", cannot be read'],
    ['E#I := 4. E#J := E#I +. E#J?', undefined, 'definition 2, "E#J := E#I +.", cannot be read'],
    ['E#I := 4. E#J := E#I * 2. E#J?', undefined, 'definition 2, "E#J := E#I * 2.", cannot be read'],
    ['E#I := 4. E#J := -E#I. E#J?', undefined, 'definition 2, "E#J := - E#I.", cannot be read'],
    ['E#I := 4. . E#I?', undefined, 'definition 2, ".", cannot be read'],
    ['E#I = 4. E#I?', undefined, 'definition 1, "E#I = 4.", cannot be read'],
    ['E := 4. E?', undefined, 'input asks for nothing'],
    ['E#I := 4. E#J := 1. E#I := 3. E#J?', undefined, 'E#I is defined twice, in definitions 1 and 3: keep one'],
    [
      'E#I := 7. E#I?',
      undefined,
      'input has "7": write letters from A to P, # := = => + - * . ? and whole numbers from 0',
    ],
    ['E#I := 04. E#I?', undefined, 'input has "04": write'],
    ['E#Z := 4. E#Z?', undefined, 'input has "Z": write letters from A to P'],
    ['e#i := 4. e#i?', undefined, 'input has "e": write'],
    ['E#I := 4: E#I?', undefined, 'input has ":": write'],
    ['E#I := 4. E#😀?', undefined, 'input has "😀": write'],
    [poster, '', 'target "" is no answer: write a value, or a solution that ends like E#J = 4.'],
    [poster, '4.', 'target "4." is no answer'],
    [poster, 'F#G', 'target "F#G" is no answer'],
    [poster, 'F#G = 4', 'target "F#G = 4" is no answer'],
    [poster, 'F#G = 4. 4', 'target "F#G = 4. 4" is no answer'],
    [poster, '8', 'target has "8": write'],
    [poster, 'zero', 'target has "z": write'],
    [table, undefined, 'problem and solution are 218 tokens: at most 128 fit, see maxLength'],
    [poster, 'A'.repeat(100).concat(' = 4.'), 'problem and solution are 147 tokens: at most 128 fit'],
  ])('refuses %j with target %j', (input, target, message) => {
    expect(() => read(input, target)).toThrow(LatheError)
    expect(() => read(input, target)).not.toThrow(UndefinedAnswerError)
    expect(() => read(input, target)).toThrow(message)
  })
})

describe('settings', () => {
  it.each([
    [{ minNodes: 9, maxNodes: 8 }, 'task igsm: minNodes = 9 is above maxNodes = 8: set one of them'],
    [{ letters: 6 }, 'task igsm: letters must be a multiple of 4, got 6'],
    [{ letters: 4 }, 'task igsm: maxNodes = 8 is too many for 4 letters: they make 3 names'],
    [{ modulus: 2 }, 'task igsm: modulus must be a whole number from 3 to 100, got 2'],
    [{ distractors: 1.5 }, 'task igsm: distractors must be a number from 0 to 1, got 1.5'],
    [{ forms: ['sum', 'difference'] }, 'task igsm: forms must have one of copy, offset, product'],
    [{ forms: [] }, 'task igsm: forms must have one of copy, offset, product'],
    [
      { forms: ['copy', 'sums'] },
      'task igsm: forms.1 must be "copy", "offset", "product", "sum" or "difference", got "sums"',
    ],
    [{ names: 'short' }, 'task igsm: names must be "spelled" or "whole", got "short"'],
    [{ steps: 'none' }, 'task igsm: steps must be "full" or "values", got "none"'],
  ])('refuse %j', (given, message) => {
    expect(() => igsm(given)).toThrow(message)
  })

  it('reach their ends', () => {
    for (const settings of [
      { letters: 4, minNodes: 2, maxNodes: 3, operands: 8 },
      { letters: 24, minNodes: 20, maxNodes: 20, distractors: 1, maxLength: 400 },
      { modulus: 100, maxLength: 400 },
      { modulus: 3, operands: 1 },
    ]) {
      const task = igsm(settings)
      expect(task.vocabulary.length).toBe(task.written!.end + 1 + (settings.modulus ?? 7))
      for (const text of texts(task, 50)) expect(text.target).toContain(rewritten(text.input, settings.modulus ?? 7))
    }
  })
})
