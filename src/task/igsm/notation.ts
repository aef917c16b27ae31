import { LatheError } from '../../settings/error.ts'
import type { Definition, Problem, Step, Term } from './definition.ts'

/**
 * How problems and solutions are written, one token a symbol: letters, # := = + - * . ? and whole numbers. How the
 * paper cuts its text into tokens is not stated; this is ours.
 *
 * - problem: `E#I := 4. E#J := 2 * E#I + 3. E#J?`
 * - full solution: `E#I = 4. E#J = 2 * E#I + 3 = 0.`, where the paper writes X = expression ⟹ X = value: without the
 *   second name, and without an expression that is the value;
 * - solution in values: `E#I = 4. E#J = 0.`, so that most problems of eight definitions fit 128 tokens.
 */
export class Notation {
  readonly vocabulary: readonly string[]
  readonly #ids: ReadonlyMap<string, number>
  readonly #modulus: number
  readonly #steps: 'full' | 'values'

  constructor(letters: number, modulus: number, steps: 'full' | 'values') {
    const entities = Array.from({ length: letters }, (_, i) => String.fromCharCode(65 + i))
    const numbers = Array.from({ length: modulus }, (_, i) => String(i))
    this.vocabulary = [...entities, '#', ':=', '=', '+', '-', '*', '.', '?', '<end>', ...numbers]
    this.#ids = new Map(this.vocabulary.map((word, id) => [word, id]))
    this.#modulus = modulus
    this.#steps = steps
  }

  id(word: string): number {
    return this.#ids.get(word)!
  }

  problem({ definitions, query }: Problem): number[] {
    const ids: number[] = []
    for (const definition of definitions) {
      this.#writeName(ids, definition.name)
      ids.push(this.id(':='))
      this.#writeExpression(ids, definition)
      ids.push(this.id('.'))
    }
    this.#writeName(ids, query)
    ids.push(this.id('?'))
    return ids
  }

  solution(steps: readonly Step[]): number[] {
    const ids: number[] = []
    for (const { definition, value } of steps) {
      this.#writeName(ids, definition.name)
      ids.push(this.id('='))
      const isNumber = definition.factor === undefined && typeof definition.terms[0]!.operand === 'number'
      if (this.#steps === 'full' && !(isNumber && definition.terms.length === 1)) {
        this.#writeExpression(ids, definition)
        ids.push(this.id('='))
      }
      ids.push(this.#number(value), this.id('.'))
    }
    return ids
  }

  // The vocabulary begins with the letters in order, and ends with the numbers.
  #writeName(ids: number[], name: string): void {
    ids.push(name.charCodeAt(0) - 65, this.id('#'), name.charCodeAt(2) - 65)
  }

  #number(value: number): number {
    return this.vocabulary.length - this.#modulus + value
  }

  #writeExpression(ids: number[], { factor, terms }: Definition): void {
    if (factor !== undefined) ids.push(this.#number(factor), this.id('*'))
    for (const [i, { sign, operand }] of terms.entries()) {
      if (i > 0) ids.push(this.id(sign === 1 ? '+' : '-'))
      if (typeof operand === 'number') ids.push(this.#number(operand))
      else this.#writeName(ids, operand)
    }
  }

  /** The text of token ids: names are not spaced, and stops follow at once. */
  text(tokens: Int32Array): string {
    return compact(Array.from(tokens, (token) => this.vocabulary[token]).join(' '))
  }

  /** The words of a text, spaces anywhere. Throws a LatheError, which begins with `where`, for what is no word. */
  words(text: string, where: string): string[] {
    const words = text.match(/:=|\d+|\S/gu) ?? []
    const [first, last] = [this.vocabulary[0], this.vocabulary[this.id('#') - 1]]
    const unknown = words.find((word) => !this.#ids.has(word))
    if (unknown === undefined) return words
    throw new LatheError(
      `${where} has ${JSON.stringify(unknown)}: write letters from ${first} to ${last}, # := = + - * . ? and whole numbers from 0 to ${this.#modulus - 1}`,
    )
  }

  encode(words: readonly string[]): number[] {
    return words.map((word) => this.id(word))
  }
}

const name = '[A-Z] # [A-Z]'
const operand = `(?:${name}|\\d+)`
const definitionForm = new RegExp(`^(${name}) := (?:(\\d+) \\* )?(${operand}(?: [+-] ${operand})*) \\.$`)
const termForm = new RegExp(`(?:([+-]) )?(${operand})`, 'g')
const queryForm = new RegExp(`^(${name}) \\?$`)

/** The problem that these words write. Throws a LatheError for words that do not, and for a name defined twice. */
export function readProblem(words: readonly string[]): Problem {
  const sentences = words.join(' ').split(/(?<=[.?]) /)
  const query = queryForm.exec(sentences.pop()!)?.[1]
  if (query === undefined) throw new LatheError('input asks for nothing: end it with one name and ?, such as E#J?')
  const definitions = sentences.map(readDefinition)
  for (const [i, { name }] of definitions.entries()) {
    const first = definitions.findIndex((definition) => definition.name === name)
    if (first < i) throw new LatheError(`${name} is defined twice, in definitions ${first + 1} and ${i + 1}: keep one`)
  }
  return { definitions, query: unspaced(query) }
}

function readDefinition(sentence: string, index: number): Definition {
  const match = definitionForm.exec(sentence)
  if (match === null) {
    throw new LatheError(
      `definition ${index + 1}, ${JSON.stringify(compact(sentence))}, cannot be read: write it like E#J := 2 * E#I - F#K + 3.`,
    )
  }
  const [, defined, factor, sum] = match as string[]
  const terms = Array.from(sum!.matchAll(termForm), ([, sign, operand]): Term => {
    const number = Number(operand)
    return { sign: sign === '-' ? -1 : 1, operand: Number.isNaN(number) ? unspaced(operand!) : number }
  })
  return { name: unspaced(defined!), ...(factor === undefined ? {} : { factor: Number(factor) }), terms }
}

const compact = (words: string) => words.replaceAll(' # ', '#').replaceAll(/ (?=[.?])/g, '')
const unspaced = (words: string) => words.replaceAll(' ', '')
