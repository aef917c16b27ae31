import { LatheError } from '../../settings/error.ts'
import type { Definition, Problem, Step, Term } from './definition.ts'

export interface NotationSettings {
  readonly letters: number
  readonly modulus: number
  readonly names: 'spelled' | 'whole'
  readonly steps: 'full' | 'values'
}

/**
 * How problems and solutions are written, one token a symbol: letters, # := = => + - * . ? and whole numbers. Where
 * names are whole, each pair of letters, such as E#J, is one token instead of three. How the paper cuts its text into
 * tokens is not stated; this is ours.
 *
 * - problem: `E#I := 4. E#J := 2 * E#I + 3. E#J?`
 * - full solution: `E#I = 4. E#J = 2 * E#I + 3 => E#J = 0.`, as the paper writes X = expression ⟹ X = value, but without
 *   an expression that is the value;
 * - solution in values: `E#I = 4. E#J = 0.`, so that most problems of eight definitions fit 128 tokens.
 */
export class Notation {
  readonly vocabulary: readonly string[]
  readonly #ids: ReadonlyMap<string, number>
  readonly #letters: readonly string[]
  readonly #settings: NotationSettings

  constructor(settings: NotationSettings) {
    const { letters, modulus, names } = settings
    this.#settings = settings
    this.#letters = Array.from({ length: letters }, (_, i) => String.fromCharCode(65 + i))
    const pairs = () => this.#letters.flatMap((first) => this.#letters.map((second) => `${first}#${second}`))
    const numbers = Array.from({ length: modulus }, (_, i) => String(i))
    const symbols = names === 'whole' ? pairs() : [...this.#letters, '#']
    this.vocabulary = [...symbols, ':=', '=', '=>', '+', '-', '*', '.', '?', '<end>', ...numbers]
    this.#ids = new Map(this.vocabulary.map((word, id) => [word, id]))
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
      if (this.#settings.steps === 'full' && !(isNumber && definition.terms.length === 1)) {
        this.#writeExpression(ids, definition)
        ids.push(this.id('=>'))
        this.#writeName(ids, definition.name)
        ids.push(this.id('='))
      }
      ids.push(this.#number(value), this.id('.'))
    }
    return ids
  }

  #writeName(ids: number[], name: string): void {
    if (this.#settings.names === 'whole') ids.push(this.id(name))
    else ids.push(this.id(name[0]!), this.id('#'), this.id(name[2]!))
  }

  // The vocabulary ends with the numbers.
  #number(value: number): number {
    return this.vocabulary.length - this.#settings.modulus + value
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
    const words = Array.from(text.match(wordForm) ?? [], unspaced)
    const symbols = words.flatMap((word) => this.#symbolsOf(word))
    const unknown = symbols.find((symbol) => !this.#ids.has(symbol))
    if (unknown === undefined) return words
    const [first, last] = [this.#letters[0], this.#letters.at(-1)]
    const letters =
      this.#settings.names === 'whole'
        ? `names as ${first}#${last} of letters ${first} to ${last},`
        : `letters from ${first} to ${last}, #`
    throw new LatheError(
      `${where} has ${JSON.stringify(unknown)}: write ${letters} := = => + - * . ? and whole numbers from 0 to ${this.#settings.modulus - 1}`,
    )
  }

  encode(words: readonly string[]): number[] {
    return words.flatMap((word) => this.#symbolsOf(word).map((symbol) => this.id(symbol)))
  }

  #symbolsOf(word: string): string[] {
    return this.#settings.names === 'spelled' && word.includes('#') ? [...word] : [word]
  }
}

const wordForm = /:=|=>|\d+|[A-Z]\s*#\s*[A-Z]|\S/gu
const name = '[A-Z]#[A-Z]'
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
  return { definitions, query }
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
    return { sign: sign === '-' ? -1 : 1, operand: Number.isNaN(number) ? operand! : number }
  })
  return { name: defined!, ...(factor === undefined ? {} : { factor: Number(factor) }), terms }
}

const compact = (words: string) => words.replaceAll(' # ', '#').replaceAll(/ (?=[.?])/g, '')
const unspaced = (word: string) => word.replaceAll(/\s/g, '')
