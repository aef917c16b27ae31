import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { chooseExecutor, type Precision } from '../executor/index.ts'
import { writeSafetensors } from '../model/safetensors.ts'
import { fromFloat32 } from '../model/stored-tensor.ts'
import { pickModels } from './models.ts'
import { findPeers, type Peer, type PeerStep, peerErrors, runPeers } from './peers.ts'
import { BenchStep, drawStep, firstSequences } from './step.ts'

/** A peer that has read its gradients from a file; arguments: file, loss, then what every peer gets. */
const fake = `
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
const [file, loss, folder, variant] = process.argv.slice(2)
const { config, threads } = JSON.parse(readFileSync(folder + '/step.json', 'utf8'))
const complete = config.plan === '1x4' && threads === 1 && existsSync(folder + '/step.safetensors')
if (!complete) throw new Error('the step is not what it should be')
if (variant === 'crash') { console.error('a long story\\nMemoryError: no room left'); process.exit(3) }
const header = readFileSync(folder + '/step.safetensors')
const { tokens } = JSON.parse(header.toString('utf8', 8, 8 + Number(header.readBigUInt64LE())))
if (variant === 'small' && tokens.shape[0] > 2) { console.error('RangeError: too large'); process.exit(3) }
if (variant === 'silent') process.exit(3)
if (variant === 'babble') console.log('hello')
if (existsSync(folder + '/gradients.safetensors')) throw new Error('gradients of another peer')
if (variant !== 'idle') copyFileSync(file, folder + '/gradients.safetensors')
console.log(JSON.stringify(variant === 'shy' ? {} : { loss: Number(loss) }))
const times = [500, 20, 30, 10, 20]
process.stdin.on('data', () => {
  if (variant === 'late') { console.error('killed while timing'); process.exit(1) }
  console.log(JSON.stringify({ ms: variant === 'no-time' ? 'soon' : (times.shift() ?? 20) }))
})
`
let folder: string
let step: PeerStep

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-peers-test-'))
  await writeFile(join(folder, 'fake.mjs'), fake)
  const [model] = pickModels('Q')
  const data = drawStep(model, 4, 0)
  const wanted = await new BenchStep(model, data, chooseExecutor({ precision: 'f32' })).gradients()
  const part = async (count: number) => ({ data: firstSequences(data, count), wanted })
  step = { model, data, wanted, part, threads: 1, seconds: 0, lathe: async () => 5 }
  for (const factor of [1, 1.01, 1.031]) {
    const scaled = Object.entries(wanted.gradients).map(([name, g]) => [name, g.map((x) => factor * x)] as const)
    const tensors = new Map(scaled.map(([name, g]) => [name, fromFloat32(data.parameters.shapes[name], g)]))
    await writeSafetensors(join(folder, `times-${factor}.safetensors`), tensors)
  }
})
afterAll(() => rm(folder, { recursive: true }))

interface Faked {
  readonly variant?: string
  readonly precision?: Precision
  /** Of the gradients. */
  readonly factor?: number
  readonly loss?: number
}

function peer({ variant = 'good', precision = 'f32', factor = 1, loss = step.wanted.loss }: Faked): Peer {
  const file = join(folder, `times-${factor}.safetensors`)
  const command = [process.execPath, join(folder, 'fake.mjs'), file, String(loss)] as const
  return { library: 'fake', name: 'fake', precision, variant, command }
}

const run = async (faked: Faked) => (await runPeers([peer(faked)], step)).fake

describe('a peer', () => {
  const inTime = { ms: 20, beside: { ratio: 4, drift: expect.any(Number) } }

  it('that agrees is timed in turn with Lathe, after two runs: medians count', async () => {
    const turns: string[] = []
    const lathe = async () => turns.push('lathe') && 5
    expect((await runPeers([peer({})], { ...step, lathe })).fake).toEqual(inTime)
    expect(turns.length).toBe(2 + 5 * 4) // as many runs a round as take as long as the peer's
  })

  it('may be 2 % off in bf16', async () => {
    expect(await run({ factor: 1.01, precision: 'bf16' })).toEqual(inTime)
  })

  it.each<[Faked, number]>([
    [{ factor: 1.01 }, 0.01],
    [{ factor: 1.031, precision: 'bf16' }, 0.031],
  ])('whose gradients disagree is not timed: %j', async (faked, error) => {
    expect(await run(faked)).toEqual({ disagrees: expect.closeTo(error, 5) })
  })

  it('whose loss disagrees is not timed', async () => {
    expect(await run({ loss: 1.002 * step.wanted.loss })).toEqual({ disagrees: expect.closeTo(0.002, 5) })
  })

  it.each([
    ['crash', 'MemoryError: no room left'],
    ['silent', 'ended with 3'],
    ['babble', 'printed no JSON: hello'],
    ['idle', 'gradients.safetensors: '],
    ['shy', 'its answer: loss '],
    ['late', 'killed while timing'],
    ['no-time', 'its answer: ms '],
  ])('that fails (%s) says why in one line', async (variant, message) => {
    const result = await run({ variant })
    expect(result).toEqual({ failed: expect.stringContaining(message) })
    expect(Object.values(result)[0]).not.toContain('\n')
  })

  it('that cannot hold the step gets the most sequences that it can; all tokens count', async () => {
    const small = { ...peer({ variant: 'small' }), perToken: true }
    expect((await runPeers([small], step)).fake).toEqual({
      ms: 40,
      beside: { ratio: 8, drift: expect.any(Number) },
      batch: 2,
    })
    const crashing = { ...peer({ variant: 'crash' }), perToken: true }
    const two = { ...step, ...(await step.part(2)) }
    expect((await runPeers([crashing], two)).fake).toEqual({ failed: 'MemoryError: no room left' })
  })

  it('that cannot be started says so', async () => {
    const missing: Peer = { ...peer({}), command: [join(folder, 'nothing')] }
    expect((await runPeers([missing], step)).fake).toEqual({ failed: expect.stringContaining('ENOENT') })
  })

  it('shows how far off its gradients are, untimed, however far', async () => {
    const peers = [
      { ...peer({ variant: 'late', factor: 1.031 }), name: 'far' },
      { ...peer({ variant: 'crash' }), name: 'crashing' },
    ]
    expect(await peerErrors(peers, step)).toEqual({
      far: { error: expect.closeTo(0.031, 5) },
      crashing: { failed: 'MemoryError: no room left' },
    })
    const [other] = pickModels('N')
    expect((await peerErrors([peer({})], { ...step, model: other })).fake).toEqual({ failed: 'has no such model' })
  })

  it('that fails hinders no other, and no folder is left', async () => {
    const peers = ['crash', 'good', 'good'].map((variant, i) => ({ ...peer({ variant }), name: `fake-${i}` }))
    const seen: string[] = []
    const temporary = join(folder, 'temporary')
    await mkdir(temporary)
    vi.stubEnv('TMPDIR', temporary)
    const results = await runPeers(peers, step, (name) => seen.push(name))
    expect(results).toMatchObject({
      'fake-0': { failed: expect.any(String) },
      'fake-1': { ms: 20 },
      'fake-2': { ms: 20 },
    })
    expect(seen.filter((line) => !line.includes(':'))).toEqual(['fake-0', 'fake-1', 'fake-2'])
    expect(seen.filter((line) => line.includes(':'))).toEqual([
      'fake-0: not timed',
      "fake-1: 20.0 ms, 4.00 times Lathe's",
      "fake-2: 20.0 ms, 4.00 times Lathe's",
    ])
    expect(await readdir(temporary)).toEqual([])
    vi.unstubAllEnvs()
  })
})

describe('findPeers', () => {
  const environment = async (name: string, modules: string) => {
    const python = join(folder, name, 'bin', 'python')
    await mkdir(join(folder, name, 'bin'), { recursive: true })
    await writeFile(python, `#!/bin/sh\necho ${modules}\n`)
    await chmod(python, 0o755)
    return join(folder, name)
  }

  it('lists every variant of what is installed', async () => {
    const names = async (modules: string) =>
      (await findPeers(await environment(`with ${modules}`, modules))).map(({ name }) => name)
    const pytorch = ['eager-f32', 'eager-bf16', 'compile-f32', 'compile-bf16'].map((variant) => `pytorch-${variant}`)
    expect(await names('torch')).toEqual(pytorch)
    expect(await names('torch jax')).toEqual([...pytorch, 'jax-f32', 'jax-bf16'])
  })

  it('finds those in JavaScript, with and without Python, and picks libraries, or one way of theirs, by name', async () => {
    const javascript = join(folder, 'javascript')
    for (const name of ['@jax-js/jax', '@tensorflow/tfjs-backend-wasm'])
      await mkdir(join(javascript, 'node_modules', name), { recursive: true })
    const names = async (...wanted: string[]) =>
      (await findPeers(javascript, wanted.length ? wanted : undefined)).map(({ name }) => name)
    expect(await names()).toEqual(['jax-js-f32', 'tfjs-f32'])
    expect(await names('tfjs')).toEqual(['tfjs-f32'])
    await expect(names('tfjs', 'jax')).rejects.toThrow(/has no jax; there are jax-js, tfjs$/)
    await environment('javascript', 'jax')
    expect(await names('jax', 'jax-js')).toEqual(['jax-f32', 'jax-bf16', 'jax-js-f32'])
    expect(await names('jax-bf16')).toEqual(['jax-bf16'])
  })

  it('starts scripts that are there', async () => {
    const peers = await findPeers(await environment('all', 'torch jax'))
    const scripts = await readdir(new URL('../../scripts/peers/', import.meta.url))
    for (const { command } of peers) expect(scripts).toContain(command[1]!.split('/').at(-1))
  })

  it.each([
    ['no folder', async () => undefined, 'there are no peers: '],
    ['a folder without Python', async () => join(folder, 'empty'), 'has none of pytorch, jax, jax-js, tfjs: '],
    ['an environment without peers', () => environment('bare', ''), 'has none of pytorch, jax, jax-js, tfjs: '],
  ])('%s is one line that names the set-up', async (_, where, message) => {
    const error = await findPeers(await where()).catch((reason: Error) => reason)
    expect(error).toMatchObject({ name: 'LatheError', message: expect.stringContaining(message) })
    expect(error).toMatchObject({ message: expect.stringMatching(/scripts\/peers\/setup\.sh FOLDER.*$/) })
  })
})
