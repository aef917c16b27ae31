import { LatheError } from '../settings/error.ts'

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, §3.3): turns a
 * 64-bit counter under a 64-bit key into 64 random bits, two 32-bit words, written to `out[0]` and `out[1]`.
 */
export function threefry2x32(key0: number, key1: number, counter0: number, counter1: number, out: Uint32Array): void {
  let a = key0 | 0
  let b = key1 | 0
  let c = a ^ b ^ 0x1bd11bda
  let x = (counter0 + a) | 0
  let y = (counter1 + b) | 0
  for (let group = 1; group <= 5; group++) {
    if ((group & 1) === 1) {
      y = ((y << 13) | (y >>> 19)) ^ (x = (x + y) | 0)
      y = ((y << 15) | (y >>> 17)) ^ (x = (x + y) | 0)
      y = ((y << 26) | (y >>> 6)) ^ (x = (x + y) | 0)
      y = ((y << 6) | (y >>> 26)) ^ (x = (x + y) | 0)
    } else {
      y = ((y << 17) | (y >>> 15)) ^ (x = (x + y) | 0)
      y = ((y << 29) | (y >>> 3)) ^ (x = (x + y) | 0)
      y = ((y << 16) | (y >>> 16)) ^ (x = (x + y) | 0)
      y = ((y << 24) | (y >>> 8)) ^ (x = (x + y) | 0)
    }
    const first = a
    a = b
    b = c
    c = first
    x = (x + a) | 0
    y = (y + b + group) | 0
  }
  out[0] = x
  out[1] = y
}

/** FNV-1a, 32 bits (Fowler, Noll and Vo), of a text's UTF-16 units: for ASCII the hash of its bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

// Marks in a counter's high word keep numbers (high word below 2^21), names and draws apart.
const nameMark = 0x80000000
const drawMark = 0xc0000000

/**
 * Random numbers that depend on a seed and a path alone, never on who draws them or what else was drawn.
 * The key is threefry chained over seed and path: a number counts as the counter itself, a string by its FNV-1a hash.
 * A number's high word is not cut to a whole one: added to a key word of 2^31 or more, its fraction may carry one further.
 * The stream is threefry of 0, 1, 2, … under that key.
 *
 * @example
 * const stream = new RandomStream(7, 'phop', 'train', 12)
 * stream.integer(4) // 0, 1, 2 or 3, the same on every machine
 */
export class RandomStream {
  readonly #seed: number
  readonly #path: readonly (number | string)[]
  readonly #words = new Uint32Array(2)
  readonly #key0: number
  readonly #key1: number
  #block = 0
  #spareWord = false
  #spareNormal: number | undefined

  /** Throws a LatheError unless the seed and every number of the path are whole numbers from 0 to 2^53 − 1. */
  constructor(seed: number, ...path: readonly (number | string)[]) {
    this.#seed = seed
    this.#path = path
    const key = this.#words
    for (const step of [seed, ...path]) {
      if (typeof step === 'string') {
        threefry2x32(key[0]!, key[1]!, fnv1a(step), nameMark, key)
      } else if (Number.isSafeInteger(step) && step >= 0) {
        threefry2x32(key[0]!, key[1]!, step, step / 2 ** 32, key)
      } else {
        throw new LatheError(`${step} cannot seed random numbers: use a whole number from 0 to 9007199254740991`)
      }
    }
    this.#key0 = key[0]!
    this.#key1 = key[1]!
  }

  /** A stream further down the path: the same as one made with the whole path. */
  fork(...path: readonly (number | string)[]): RandomStream {
    return new RandomStream(this.#seed, ...this.#path, ...path)
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    this.#spareWord = !this.#spareWord
    if (!this.#spareWord) return this.#words[1]!
    threefry2x32(this.#key0, this.#key1, this.#block, drawMark + Math.floor(this.#block / 2 ** 32), this.#words)
    this.#block++
    return this.#words[0]!
  }

  /** A number in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.uint32() >>> 5
    return (high * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53
  }

  /** A whole number in [0, n), each as likely as the others; 1 ≤ n ≤ 2^32, else a RangeError. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) throw new RangeError(`cannot draw an integer below ${n}`)
    if (n === 1) return 0
    const shift = Math.clz32(n - 1)
    let word = this.uint32() >>> shift
    while (word >= n) word = this.uint32() >>> shift
    return word
  }

  /** A normal number of mean 0 and variance 1 (Box and Muller 1958; both of a pair are used). */
  normal(): number {
    const spare = this.#spareNormal
    this.#spareNormal = undefined
    if (spare !== undefined) return spare
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Puts `items` in a random order, in place, every order as likely (Fisher and Yates), and returns it. */
  shuffle<A extends { readonly length: number; [index: number]: unknown }>(items: A): A {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
    return items
  }
}
