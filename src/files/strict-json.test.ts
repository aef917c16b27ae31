import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson, type StrictJson, StrictJsonError } from './strict-json.ts'

function plain(value: StrictJson): unknown {
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, inner]) => [key, plain(inner)]))
  if (Array.isArray(value)) return value.map(plain)
  return typeof value === 'bigint' ? Number(value) : value
}

function refusal(text: string): StrictJsonError {
  try {
    parseStrictJson(text)
  } catch (error) {
    if (error instanceof StrictJsonError) return error
    throw error
  }
  throw new Error(`accepted ${text}`)
}

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        expect(plain(parseStrictJson(text))).toEqual(JSON.parse(text))
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  it('keeps integers exact and tells 1.0 from 1', () => {
    expect(parseStrictJson('[18446744073709551615, -3, 0, 1.0, 1e2, -0]')).toEqual([
      18446744073709551615n,
      -3n,
      0n,
      1,
      100,
      -0,
    ])
  })

  it('keeps __proto__ and constructor as keys', () => {
    const object = parseStrictJson('{"__proto__":{"a":1},"constructor":2}')
    expect(object).toEqual(
      new Map<string, unknown>([
        ['__proto__', new Map([['a', 1n]])],
        ['constructor', 2n],
      ]),
    )
  })

  it.each([
    ['', 'ends too early'],
    ['{', 'ends too early'],
    ['[1', 'ends too early'],
    ['-', 'ends too early'],
    ['"ab', 'no end'],
    ['"ab\\', 'no end'],
    ['{"a" 1}', 'expected :'],
    ['{a:1}', 'expected a string'],
    ['[1 2]', 'expected ]'],
    ['[1,]', 'expected a value'],
    ['{"a":1,}', 'expected a string'],
    ['01', 'after the end'],
    ['1.', 'too early'],
    ['.5', 'expected a value'],
    ['+1', 'expected a value'],
    ['1e', 'too early'],
    ['1e999', 'out of range'],
    ['nul', 'expected a value'],
    ['NaN', 'expected a value'],
    ['"\\x61"', 'bad escape'],
    ['"a\nb"', 'control character'],
    ['"\\u00\u00114"', 'bad escape'],
    ['"\\u00g4"', 'bad escape'],
    ['"\\u004"', 'bad escape'],
    ['"\\ud83d\\u0041"', 'surrogate'],
    ['"\\ude00"', 'surrogate'],
    ['"\ud800"', 'surrogate'],
    ['{"a":"\\ud800"}', 'surrogate'],
    ['[1e400]', 'out of range'],
    [`[${'9'.repeat(400)}]`, 'out of range'],
    ['tru', 'expected a value'],
    ['"é😀', 'no end'],
    ['"\\ud800"', 'surrogate'],
    ['\ufeff1', 'expected a value'],
    ['1\0', 'after the end'],
    ['[1]]', 'after the end'],
  ])('refuses %j', (text, message) => {
    const error = refusal(text)
    expect(error.kind).toBe('syntax')
    expect(error.message).toContain(message)
  })

  it('counts characters as strings do, not bytes', () => {
    expect(refusal('["é😀", x]').offset).toBe(8)
  })

  it('refuses a repeated key at any depth, however it is written', () => {
    expect(refusal('[{"a":1,"b":2,"a":3}]')).toMatchObject({ kind: 'duplicate', offset: 14 })
    expect(refusal('{"a":1,"\\u0061":1}').message).toBe('the key "a" appears twice')
  })

  it('goes 127 deep and no deeper', () => {
    expect(parseStrictJson('['.repeat(127) + ']'.repeat(127))).toBeInstanceOf(Array)
    expect(refusal('['.repeat(128) + ']'.repeat(128)).message).toContain('nests deeper')
    expect(refusal('{"a":'.repeat(100_000)).message).toContain('nests deeper')
  })

  it('throws nothing but its own error', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'a',
      '1',
      '-',
      '.',
      'e',
      'null',
      'true',
      ' ',
      '\u0001',
      '\\u',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => {
        const text = parts.join('')
        let accepted: StrictJson | undefined
        try {
          accepted = parseStrictJson(text)
        } catch (error) {
          expect(error).toBeInstanceOf(StrictJsonError)
          return
        }
        expect(plain(accepted)).toEqual(JSON.parse(text))
      }),
      { seed: 2, numRuns: 3000 },
    )
  })
})
