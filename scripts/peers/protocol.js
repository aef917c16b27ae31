/**
 * How a peer in JavaScript talks with Lathe: as in protocol.py, with the folder where packages are installed before the
 * other arguments. The twin of that file: what changes there changes here.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [packages, folder] = process.argv.slice(2)

// one line, where Node would print a stack
process.on('uncaughtException', ({ message }) => {
  console.error(message)
  process.exit(1)
})

/** Loads a package that setup.sh installed. */
export const library = createRequire(join(packages, 'package.json'))

/** Beforehand, for libraries that must know it when they load. */
export const settings = JSON.parse(readFileSync(join(folder, 'step.json'), 'utf8'))

// the settings of every named model; sizes and plan are free
const fixed = {
  norm: 'layer',
  activation: 'gelu',
  positions: 'rope',
  bias: false,
  finalNorm: true,
  tiedHead: false,
  attention: 'causal',
}

/** '2,2x2,1' -> 0 1 2 3 2 3 4: the weights of each layer in the order in which they run. */
export function parsePlan(plan) {
  let first = 0
  return plan.split(',').flatMap((part) => {
    const [layers, loops = 1] = part.split('x').map(Number)
    const order = Array.from({ length: layers }, (_, i) => first + i)
    first += layers
    return Array.from({ length: loops }, () => order).flat()
  })
}

/** Cosine and sine [T, dHead] of the rotation of the pairs (i, i + dHead / 2). */
export function ropeTables({ dHead, ropeBase }, length) {
  const table = (f) =>
    Float32Array.from({ length: length * dHead }, (_, i) => {
      const [t, k] = [Math.floor(i / dHead), i % (dHead / 2)]
      return f(t * ropeBase ** (-k / (dHead / 2)))
    })
  return [table(Math.cos), table(Math.sin)]
}

function readTensors(file) {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start))
  const arrays = { F32: Float32Array, I32: Int32Array }
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return Object.fromEntries(
    entries.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const { buffer } = new Uint8Array(bytes.subarray(start + from, start + to)) // a copy, so aligned
        return [name, { shape, data: new arrays[dtype](buffer) }]
      },
    ),
  )
}

function writeTensors(file, tensors) {
  let offset = 0
  const header = {}
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += data.byteLength)] }
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const parts = Object.values(tensors).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))
  writeFileSync(file, Buffer.concat([length, text, ...parts]))
}

/**
 * Serves the step: prepare(weights, batch) gives two functions, gradients() -> { loss, gradients } with arrays by name, and
 * train(), a whole step. Weights and the batch (tokens, targets, lossWeights) are { shape, data }.
 */
export async function serve(prepare) {
  for (const [name, value] of Object.entries(fixed))
    if (settings.config[name] !== value)
      throw new Error(`this peer has no model whose ${name} is ${settings.config[name]}`)
  const { tokens, targets, lossWeights, ...weights } = readTensors(join(folder, 'step.safetensors'))
  const { gradients, train } = await prepare(weights, { tokens, targets, lossWeights })
  const found = await gradients()
  const named = Object.entries(weights).map(([name, { shape }]) => [name, { shape, data: found.gradients[name] }])
  writeTensors(join(folder, 'gradients.safetensors'), Object.fromEntries(named))
  console.log(JSON.stringify({ loss: found.loss }))
  for await (const _ of createInterface({ input: process.stdin })) {
    const start = performance.now()
    await train()
    console.log(JSON.stringify({ ms: performance.now() - start }))
  }
  process.exit()
}
