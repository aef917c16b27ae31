import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { mutation } from './attacks/mutations.ts'
import { parseSafetensors } from './safetensors.ts'
import { SafetensorsError, type SafetensorsFault } from './safetensors-header.ts'

/** What the Python package says, made by attacks/make.py; `mutations` has one bit a mutation. */
interface Verdicts {
  readonly named: Record<string, boolean>
  readonly seed: number
  readonly count: number
  readonly accepted: number
  readonly mutations: string
}

const folder = fileURLToPath(new URL('attacks/', import.meta.url))
const read = (name: string) => readFileSync(`${folder}${name}.safetensors`)
const verdicts: Verdicts = JSON.parse(readFileSync(`${folder}verdicts.json`, 'utf8'))

/** Attacks that the Python package accepts and we refuse on purpose: our fault, and why. */
const stricter: Record<string, [SafetensorsFault, string]> = {
  'tensor-twice': ['DuplicateKey', 'two tensors of one name: which is meant?'],
  'tensor-twice-escaped': ['DuplicateKey', 'the same, though written differently'],
  'metadata-key-twice': ['DuplicateKey', 'the same for metadata'],
  'dtype-f64': ['UnknownDtype', 'we read seven dtypes; a tensor that nothing here can use is told at once'],
  'dtype-f8': ['UnknownDtype', 'the same'],
  'dtype-object': ['UnknownDtype', 'a form that the Rust parser takes for an enum, and that the format does not have'],
  'tensor-array': ['InvalidHeaderDeserialization', 'a form that the Rust parser takes for a struct, likewise'],
  'shape-beyond-2-53': ['InvalidShape', 'a number cannot hold it'],
  'shape-65-sizes': ['InvalidShape', 'bounds the memory that a header can take'],
  'shape-of-5000-bytes': ['InvalidHeaderDeserialization', 'the same'],
}

function faultOf(bytes: Uint8Array): SafetensorsFault | undefined {
  try {
    parseSafetensors(bytes, 'x')
    return undefined
  } catch (error) {
    if (error instanceof SafetensorsError) return error.fault
    throw error
  }
}

it('has a verdict for every file', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
  expect(files.sort()).toEqual(
    Object.keys(verdicts.named)
      .map((name) => `${name}.safetensors`)
      .sort(),
  )
  expect(Object.keys(stricter).filter((name) => !verdicts.named[name])).toEqual([])
})

it.each(Object.entries(verdicts.named))('%s: accepted by Python is %s', (name, accepted) => {
  const fault = faultOf(read(name))
  if (Object.hasOwn(stricter, name)) expect(fault).toBe(stricter[name][0])
  else expect(fault === undefined).toBe(accepted)
})

it('judges 100,000 mutations as Python does, but for repeated keys', () => {
  const valid = Object.keys(verdicts.named).filter((name) => name.startsWith('valid-'))
  const bases = valid.sort().map(read)
  const bits = Buffer.from(verdicts.mutations, 'base64')
  const differences: Partial<Record<string, number>> = {}
  let accepted = 0
  for (let index = 0; index < verdicts.count; index++) {
    const byPython = ((bits[index >> 3] >> (index & 7)) & 1) === 1
    if (byPython) accepted++
    const fault = faultOf(mutation(bases, verdicts.seed, index))
    if ((fault === undefined) === byPython) continue
    const difference = fault === undefined ? `only we accept ${index}` : fault
    differences[difference] = (differences[difference] ?? 0) + 1
  }
  expect(verdicts.count).toBe(100_000)
  expect(accepted).toBe(verdicts.accepted)
  expect(differences).toEqual({ DuplicateKey: 2 }) // see `stricter`
})
