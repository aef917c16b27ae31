/** A JSON value. Objects are Maps, so that no key can reach a prototype; an integer literal is an exact bigint. */
export type StrictJson = null | boolean | string | bigint | number | StrictJson[] | Map<string, StrictJson>

/** What is wrong with a JSON text, and at which character. */
export class StrictJsonError extends Error {
  constructor(
    readonly kind: 'syntax' | 'duplicate',
    message: string,
    readonly offset: number,
  ) {
    super(message)
  }
}

const words = [
  ['null', null],
  ['true', true],
  ['false', false],
] as const
const deepest = 127 // as deep as serde_json goes

/**
 * Reads JSON (RFC 8259) without the leniencies of JSON.parse: a key that appears twice, half a surrogate pair, a number
 * beyond a double and deep nesting are errors, and 1.0 is told apart from 1. Throws a StrictJsonError.
 */
export function parseStrictJson(text: string): StrictJson {
  let at = 0
  const value = readValue(1)
  skipSpace()
  if (at < text.length) fail('a character after the end')
  return value

  function fail(message: string, kind: 'syntax' | 'duplicate' = 'syntax', offset = at): never {
    throw new StrictJsonError(kind, message, offset)
  }

  function skipSpace() {
    for (let c = text.charCodeAt(at); c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; ) c = text.charCodeAt(++at)
  }

  function accept(character: string): boolean {
    skipSpace()
    if (text[at] !== character) return false
    at++
    return true
  }

  function expect(character: string) {
    if (!accept(character)) fail(at < text.length ? `expected ${character}` : 'it ends too early')
  }

  function readValue(depth: number): StrictJson {
    skipSpace()
    const c = text[at]
    if ((c === '{' || c === '[') && depth > deepest) fail(`it nests deeper than ${deepest}`)
    if (c === '{') return readObject(depth)
    if (c === '[') return readArray(depth)
    if (c === '"') return readString()
    for (const [word, value] of words) {
      if (!text.startsWith(word, at)) continue
      at += word.length
      return value
    }
    return readNumber()
  }

  function readObject(depth: number): Map<string, StrictJson> {
    const object = new Map<string, StrictJson>()
    expect('{')
    if (accept('}')) return object
    do {
      skipSpace()
      const start = at
      const key = readString()
      if (object.has(key)) fail(`the key ${JSON.stringify(key)} appears twice`, 'duplicate', start)
      expect(':')
      object.set(key, readValue(depth + 1))
    } while (accept(','))
    expect('}')
    return object
  }

  function readArray(depth: number): StrictJson[] {
    const array: StrictJson[] = []
    expect('[')
    if (accept(']')) return array
    do array.push(readValue(depth + 1))
    while (accept(','))
    expect(']')
    return array
  }

  function readString(): string {
    const start = at
    if (text[at] !== '"') fail(at < text.length ? 'expected a string' : 'it ends too early')
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) fail('a string has no end', 'syntax', start)
      if (text[at] === '\\') at++
    }
    at++
    let value: string
    try {
      value = JSON.parse(text.slice(start, at))
    } catch {
      return fail('a string holds a bad escape or a control character', 'syntax', start)
    }
    if (/\p{Surrogate}/u.test(value)) fail('a string holds half a surrogate pair', 'syntax', start)
    return value
  }

  function readDigits() {
    const start = at
    while (text[at] >= '0' && text[at] <= '9') at++
    if (at === start) fail(at < text.length ? 'expected a value' : 'it ends too early')
  }

  function readNumber(): bigint | number {
    const start = at
    if (text[at] === '-') at++
    if (text[at] === '0') at++
    else readDigits()
    let isInteger = at - start <= 20 // longer ones are beyond 64 bits
    if (text[at] === '.') {
      at++
      readDigits()
      isInteger = false
    }
    if (text[at] === 'e' || text[at] === 'E') {
      at++
      if (text[at] === '+' || text[at] === '-') at++
      readDigits()
      isInteger = false
    }
    const literal = text.slice(start, at)
    if (isInteger && literal !== '-0') return BigInt(literal)
    const value = Number(literal)
    return Number.isFinite(value) ? value : fail('a number is out of range', 'syntax', start)
  }
}
