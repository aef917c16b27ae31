import { StrictJsonError, StrictJsonScanner } from './strict-json-scanner.ts'

export { StrictJsonError }

/** A JSON value. Objects are Maps, so that no key can reach a prototype; an integer literal is an exact bigint. */
export type StrictJson = null | boolean | string | bigint | number | StrictJson[] | Map<string, StrictJson>

/**
 * Reads JSON (RFC 8259) without the leniencies of JSON.parse: a key that appears twice, half a surrogate pair, a number
 * beyond a double and deep nesting are errors, and 1.0 is told apart from 1. Throws a StrictJsonError.
 */
export function parseStrictJson(text: string): StrictJson {
  const lone = /\p{Surrogate}/u.exec(text)
  if (lone) throw new StrictJsonError('syntax', 'a string holds half a surrogate pair', lone.index)
  const scanner = new StrictJsonScanner(Buffer.from(text))
  const value = readValue(scanner)
  scanner.end()
  return value
}

/** Reads the value that comes next. Throws a StrictJsonError. */
export function readValue(scanner: StrictJsonScanner): StrictJson {
  const next = scanner.peek()
  if (next === 0x7b) return readObject(scanner)
  if (next === 0x5b) return readArray(scanner)
  if (next === 0x22) return scanner.string()
  const word = scanner.word()
  return word === undefined ? scanner.number() : word
}

function readObject(scanner: StrictJsonScanner): Map<string, StrictJson> {
  const object = new Map<string, StrictJson>()
  scanner.object((key, start) => {
    if (object.has(key)) scanner.fail(`the key ${JSON.stringify(key)} appears twice`, 'duplicate', start)
    object.set(key, readValue(scanner))
  })
  return object
}

function readArray(scanner: StrictJsonScanner): StrictJson[] {
  const array: StrictJson[] = []
  scanner.array(() => {
    array.push(readValue(scanner))
  })
  return array
}
