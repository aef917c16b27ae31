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

const code = (character: string) => character.charCodeAt(0)
const quote = code('"')
const backslash = code('\\')
const words = ['null', 'true', 'false'].map((word) => Buffer.from(word))
const escapes = new Set(Array.from('"\\/bfnrt', code))
const deepest = 127 // as deep as serde_json goes

/**
 * Goes through JSON (RFC 8259) in UTF-8 token by token and checks all of it; only what is asked for becomes a value, so
 * that skipping costs no memory. Half a surrogate pair, a number beyond a double and deep nesting are errors.
 * Every method throws a StrictJsonError.
 */
export class StrictJsonScanner {
  /** The byte that comes next. */
  at = 0
  #depth = 0

  constructor(readonly bytes: Uint8Array) {}

  fail(message: string, kind: 'syntax' | 'duplicate' = 'syntax', at = this.at): never {
    let offset = 0
    for (const byte of this.bytes.subarray(0, at)) offset += byte >= 0xf0 ? 2 : byte >> 6 === 2 ? 0 : 1 // UTF-16 units
    throw new StrictJsonError(kind, message, offset)
  }

  /** The first byte of the next token; undefined at the end. */
  peek(): number | undefined {
    const { bytes } = this
    let c = bytes[this.at]
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = bytes[++this.at]
    return c
  }

  /** Checks that nothing comes any more. */
  end() {
    if (this.peek() !== undefined) this.fail('a character after the end')
  }

  /** Goes through an object: `visit` gets every key, and where it stands, and must read or skip its value. */
  object(visit: (key: string, start: number) => void) {
    this.#object(() => {
      const start = this.at
      const key = this.string()
      this.#expect(':')
      visit(key, start)
    })
  }

  /** Goes through an array: `visit` must read or skip an element. */
  array(visit: () => void) {
    this.#enter('[')
    if (!this.#accept(']')) {
      do visit()
      while (this.#accept(','))
      this.#expect(']')
    }
    this.#depth--
  }

  string(): string {
    this.peek()
    const start = this.at
    const hasEscapes = this.#skipString()
    const quoted = this.#text(start)
    return hasEscapes ? JSON.parse(quoted) : quoted.slice(1, -1)
  }

  /** Reads a number: an integer literal of at most 20 characters is an exact bigint. */
  number(): bigint | number {
    const start = this.at
    const isInteger = this.#scanNumber() === 0
    const literal = this.#text(start)
    if (isInteger && literal.length <= 20 && literal !== '-0') return BigInt(literal) // longer: beyond 64 bits
    return this.#finite(start)
  }

  /** Reads null, true or false where one comes next. */
  word(): null | boolean | undefined {
    if (this.bytes[this.at] < 0x61) return undefined // no letter
    const word = words.find((word) => word.every((byte, i) => this.bytes[this.at + i] === byte))
    if (word === undefined) return undefined
    this.at += word.length
    return word === words[0] ? null : word === words[1]
  }

  /** Checks the next value, whatever it is, and passes over it. */
  readonly skip = () => {
    const c = this.peek()
    if (c === 0x7b) this.#object(this.#skipMember)
    else if (c === 0x5b) this.array(this.skip)
    else if (c === quote) this.#skipString()
    else if (this.word() === undefined) this.#skipNumber()
  }

  readonly #skipMember = () => {
    this.#skipString()
    this.#expect(':')
    this.skip()
  }

  #object(member: () => void) {
    this.#enter('{')
    if (!this.#accept('}')) {
      do {
        this.peek()
        member()
      } while (this.#accept(','))
      this.#expect('}')
    }
    this.#depth--
  }

  #enter(bracket: string) {
    this.#expect(bracket)
    if (++this.#depth > deepest) this.fail(`it nests deeper than ${deepest}`, 'syntax', this.at - 1)
  }

  #accept(character: string): boolean {
    if (this.peek() !== code(character)) return false
    this.at++
    return true
  }

  #expect(character: string) {
    if (!this.#accept(character)) this.#miss(character)
  }

  #miss(what: string): never {
    this.fail(this.at < this.bytes.length ? `expected ${what}` : 'it ends too early')
  }

  #text(start: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, this.at - start).toString()
  }

  /** True where the string has escapes. */
  #skipString(): boolean {
    const { bytes } = this
    const start = this.at
    if (bytes[start] !== quote) this.#miss('a string')
    let hasEscapes = false
    let at = start + 1
    for (let c = bytes[at]; c !== quote; c = bytes[at]) {
      if (c === undefined) this.fail('a string has no end', 'syntax', start)
      if (c < 0x20) this.#badString(start)
      if (c === backslash) {
        hasEscapes = true
        at = this.#skipEscape(at + 1, start)
      } else at++
    }
    this.at = at + 1
    return hasEscapes
  }

  #skipEscape(at: number, start: number): number {
    if (at >= this.bytes.length) this.fail('a string has no end', 'syntax', start)
    if (escapes.has(this.bytes[at])) return at + 1
    const unit = this.#unit(at, start)
    if (unit >> 11 !== 0x1b) return at + 5
    const isPair = unit < 0xdc00 && this.bytes[at + 5] === backslash && this.#unit(at + 6, start) >> 10 === 0x37
    return isPair ? at + 11 : this.fail('a string holds half a surrogate pair', 'syntax', start)
  }

  /** The UTF-16 unit of an escape, from its u on. */
  #unit(at: number, start: number): number {
    if (this.bytes[at] !== code('u')) this.#badString(start)
    let unit = 0
    for (let i = 1; i <= 4; i++) {
      const c = this.bytes[at + i]
      const letter = c | 0x20 // lower case
      if (c >= 0x30 && c <= 0x39) unit = unit * 16 + c - 0x30
      else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57
      else this.#badString(start)
    }
    return unit
  }

  #badString(start: number): never {
    this.fail('a string holds a bad escape or a control character', 'syntax', start)
  }

  #skipNumber() {
    const start = this.at
    if (this.#scanNumber() > 2 || this.at - start > 200) this.#finite(start) // shorter ones are below 1e299
  }

  #finite(start: number): number {
    const value = Number(this.#text(start))
    return Number.isFinite(value) ? value : this.fail('a number is out of range', 'syntax', start)
  }

  /** Passes over a number: 0 for an integer, the digits of its exponent, or 1 where it has only a fraction. */
  #scanNumber(): number {
    const { bytes } = this
    let parts = 0
    if (bytes[this.at] === 0x2d) this.at++
    if (bytes[this.at] === 0x30) this.at++
    else this.#skipDigits()
    if (bytes[this.at] === 0x2e) {
      this.at++
      this.#skipDigits()
      parts = 1
    }
    if (bytes[this.at] === 0x65 || bytes[this.at] === 0x45) {
      this.at++
      if (bytes[this.at] === 0x2b || bytes[this.at] === 0x2d) this.at++
      parts = this.#skipDigits()
    }
    return parts
  }

  #skipDigits(): number {
    const start = this.at
    while (this.bytes[this.at] >= 0x30 && this.bytes[this.at] <= 0x39) this.at++
    return this.at > start ? this.at - start : this.#miss('a value')
  }
}
