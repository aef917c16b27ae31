import { LatheError } from '../../settings/error.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { UndefinedAnswerError } from '../task.ts'
import { alphabet, type Drawn } from './copy.ts'

export const variables = 5
export const largestValue = 25
export const largestAddend = 9
const numbers = Array.from({ length: largestValue }, (_, i) => String(i + 1))

/**
 * Five assignments of different values from 1 to 25, `depth` layers of five aliases, one to one, and a query of the
 * last layer. Which alias stands for which name is uniform, and so is the value asked for: these, and that the values
 * differ, are ours.
 */
export function drawAssignments(random: RandomStream, depth: number): Drawn {
  const names = random.shuffle([...alphabet])
  let sources = random.shuffle([...numbers]).slice(0, variables)
  const values = new Map(sources.map((number) => [number, number]))
  const words: string[] = []
  for (let layer = 0; layer <= depth; layer++) {
    const defined = names.slice(layer * variables, (layer + 1) * variables)
    for (const [i, name] of defined.entries()) {
      words.push(name, '=', sources[i]!, ',')
      values.set(name, values.get(sources[i]!)!)
    }
    sources = random.shuffle(defined)
  }
  words.push(sources[0]!, '=', '?')
  return { words, answer: values.get(sources[0]!)! }
}

/** Two values from 1 to 9, and a variable that is their signed sum, as in z=6, b=5, i=-z+b, i=?. The law is ours. */
export function drawPreschoolMath(random: RandomStream): Drawn {
  const [first, second, sum] = random.shuffle([...alphabet]) as [string, string, string]
  const values = [1 + random.integer(largestAddend), 1 + random.integer(largestAddend)] as const
  const places = random.shuffle([0, 1]) as [0 | 1, 0 | 1]
  const [left, right] = places.map((place) => [first, second][place]!) as [string, string]
  const isNegative = random.integer(2) === 0
  const isDifference = random.integer(2) === 0
  const answer = (isNegative ? -1 : 1) * values[places[0]] + (isDifference ? -1 : 1) * values[places[1]]
  const words = [first, '=', String(values[0]), ',', second, '=', String(values[1]), ',', sum, '=']
  if (isNegative) words.push('-')
  words.push(left, isDifference ? '-' : '+', right, ',', sum, '=', '?')
  return { words, answer: String(answer) }
}

const operand = '(?:[a-z]|\\d+)'
const equationForm = new RegExp(`^([a-z]) = ((?:[+-] )?${operand}(?: [+-] ${operand})*)$`)
const queryForm = /^([a-z]) = \?$/

/**
 * The value of the variable that the last statement asks for. Throws a LatheError for words that are no such problem,
 * and an UndefinedAnswerError when a variable is used that no statement before has given a value.
 */
export function evaluate(words: readonly string[]): number {
  const statements = words.join(' ').split(/ ?, ?/)
  const asked = queryForm.exec(statements.pop()!)?.[1]
  if (asked === undefined) throw new LatheError('input asks for nothing: end it like n=22, z=n, z=?')
  const values = new Map<string, number>()
  const lookUp = (name: string) => {
    const value = values.get(name)
    if (value !== undefined) return value
    throw new UndefinedAnswerError(`${name} is used, but no statement before gives it a value: write ${name}=… first`)
  }
  for (const [i, statement] of statements.entries()) {
    const [, name, sum] = equationForm.exec(statement) ?? []
    if (name === undefined || sum === undefined)
      throw new LatheError(`statement ${i + 1}, ${JSON.stringify(statement)}, cannot be read: write it like i=-z+b`)
    if (values.has(name)) throw new LatheError(`statement ${i + 1} gives ${name} a second value: keep one`)
    let value = 0
    for (const [, sign, term] of sum.matchAll(/(?:([+-]) )?([a-z]|\d+)/g)) {
      value += (sign === '-' ? -1 : 1) * (/\d/.test(term!) ? Number(term) : lookUp(term!))
    }
    values.set(name, value)
  }
  return lookUp(asked)
}

/** How people write the words: `n=22, z=n, z=?` in mathematics, `n = 22; z = n; z = ?` in code. */
export function writeEquations(words: readonly string[], form: 'math' | 'code'): string {
  const statements = words.join('').split(',')
  return form === 'math' ? statements.join(', ') : statements.map(spaced).join('; ')
}

const spaced = (statement: string) => statement.replace('=', ' = ')

/**
 * The prompt for a language model, without examples, for a variable assignment problem as `Task.format` writes it, in
 * either form. The wording is that of kschwethelm/looped-lm-scaling, which re-creates the appendix of MIDAS
 * (arXiv 2409.19044).
 *
 * @example
 * promptText('n=22, z=n, z=?', 'math')
 */
export function promptText(input: string, form: 'math' | 'code'): string {
  const lines = input.replaceAll(/\s/g, '').split(/[,;]/)
  const asked = lines.pop()!.charAt(0)
  if (form === 'math') {
    const question = `What is the numerical value of ${asked}?`
    return ['The following is a set of simple mathematical equations.', '', ...lines, question, 'Answer:'].join('\n')
  }
  const header =
    'The following is a very short Python program. Use the program to resolve the value of the variable in the question.'
  const question = ['Question:', `What is the value of ${asked}?`, 'Answer:']
  return [header, 'Program:', ...lines.map(spaced), '', ...question].join('\n')
}
