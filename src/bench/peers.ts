/**
 * Other libraries beside Lathe: the same step, of the same model on the same data, by scripts that speak the protocol of
 * `scripts/peers/protocol.py`.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as z from 'zod'
import type { Precision } from '../executor/index.ts'
import { readSafetensors, writeSafetensors } from '../model/safetensors.ts'
import { fromFloat32, fromInt32, toFloat32 } from '../model/stored-tensor.ts'
import { LatheError } from '../settings/error.ts'
import { must, parseSettings, positiveNumber } from '../settings/settings.ts'
import { compareGradients, disagreement, type LossAndGradients } from './agreement.ts'
import { median, type Ratio, ratioOf, type Timed, timeInTurn } from './measure.ts'
import type { NamedModel } from './named-model.ts'
import { benchOptimizer, type StepData } from './step.ts'

/** One way in which a peer runs a step. */
export interface Peer {
  /** As in `pytorch`. */
  readonly library: string
  /** As in `pytorch-eager-bf16`. */
  readonly name: string
  readonly precision: Precision
  /** Program and arguments; the step's folder and the variant follow. */
  readonly command: readonly [string, ...string[]]
  readonly variant: string
  /** Whether half the sequences are tried where it fails, again and again: time per token is what counts. */
  readonly perToken?: boolean
}

/**
 * A peer's median in milliseconds of as many tokens as a step has, how many times as long as Lathe's that is, and its batch
 * where that was smaller. Or why there is none: how far off it is as a fraction, or what went wrong in one line.
 */
export type PeerResult =
  | { readonly ms: number; readonly beside: Ratio; readonly batch?: number }
  | { readonly disagrees: number }
  | { readonly failed: string }

/** How far off a peer's whole gradient is, as a fraction of it; or what went wrong in one line. */
export type PeerError = { readonly error: number } | { readonly failed: string }

const pythonLibraries = [
  { library: 'pytorch', module: 'torch', script: 'pytorch.py', modes: ['eager-', 'compile-'] },
  { library: 'jax', module: 'jax', script: 'jax_cpu.py', modes: [''] },
] as const
const javascriptLibraries = [
  { library: 'jax-js', module: '@jax-js/jax', script: 'jax_js.js' },
  { library: 'tfjs', module: '@tensorflow/tfjs-backend-wasm', script: 'tensorflow_js.js' },
] as const

/** Largest relative error of loss and gradients with which a peer, or Lathe itself, is timed. */
export const peerBars: Record<Precision, number> = { f32: 1e-3, bf16: 2e-2 }

const scripts = fileURLToPath(new URL('../../scripts/peers/', import.meta.url))

/**
 * The peers that are installed in a folder made by `scripts/peers/setup.sh`; of some libraries, or ways of theirs, where they
 * are named.
 * Throws a LatheError when the folder is not given, or has no peer, or none of a name.
 */
export async function findPeers(folder: string | undefined, wanted?: readonly string[]): Promise<Peer[]> {
  const setup = `run ${join(scripts, 'setup.sh')} FOLDER and set LATHE_PEERS=FOLDER`
  if (!folder) throw new LatheError(`there are no peers: ${setup}`)
  const found = [...(await pythonPeers(folder)), ...(await javascriptPeers(folder))]
  const all = [...pythonLibraries, ...javascriptLibraries].map(({ library }) => library)
  if (found.length === 0) throw new LatheError(`LATHE_PEERS: ${folder} has none of ${all.join(', ')}: ${setup}`)
  const is = (name: string) => (peer: Peer) => peer.library === name || peer.name === name
  const missing = wanted?.find((name) => !found.some(is(name)))
  if (missing !== undefined)
    throw new LatheError(
      `LATHE_PEERS: ${folder} has no ${missing}; there are ${[...new Set(found.map((p) => p.library))].join(', ')}`,
    )
  return found.filter((peer) => wanted?.some((name) => is(name)(peer)) ?? true)
}

async function pythonPeers(folder: string): Promise<Peer[]> {
  const python = join(folder, 'bin', 'python')
  if (!(await exists(python))) return []
  const probe = 'import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if u.find_spec(m)])'
  const modules = pythonLibraries.map(({ module }) => module)
  const { stdout } = await promisify(execFile)(python, ['-c', probe, ...modules])
  const installed = pythonLibraries.filter(({ module }) => stdout.trim().split(' ').includes(module))
  return installed.flatMap(({ library, script, modes }) =>
    modes.flatMap((mode) =>
      (['f32', 'bf16'] as const).map((precision) => ({
        library,
        name: `${library}-${mode}${precision}`,
        precision,
        command: [python, join(scripts, script)] as const,
        variant: `${mode}${precision}`,
      })),
    ),
  )
}

async function javascriptPeers(folder: string): Promise<Peer[]> {
  const present = await Promise.all(
    javascriptLibraries.map(({ module }) => exists(join(folder, 'node_modules', module))),
  )
  return javascriptLibraries
    .filter((_, i) => present[i])
    .map(({ library, script }) => ({
      library,
      name: `${library}-f32`,
      precision: 'f32',
      command: [process.execPath, join(scripts, script), folder],
      variant: 'f32',
      perToken: true,
    }))
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** What a peer computes, and what loss and gradients should be. */
export interface PeerData {
  readonly data: StepData
  readonly wanted: LossAndGradients
}

export interface PeerTask extends PeerData {
  readonly model: NamedModel
  readonly threads: number
}

export interface PeerStep extends PeerTask {
  /** Lathe's own step, which each peer's is timed in turn with. */
  readonly lathe: Timed
  /** Time of a peer's measured runs, and as much of Lathe's. */
  readonly seconds: number
  /** The same with the first `count` sequences alone. */
  part(count: number): Promise<PeerData>
}

/** Runs one step on every peer, one after the other. One that disagrees or fails is not timed, and hinders no other. */
export async function runPeers(
  peers: readonly Peer[],
  step: PeerStep,
  progress: (name: string) => void = () => {},
): Promise<Record<string, PeerResult>> {
  const results: Record<string, PeerResult> = {}
  for (const peer of peers) {
    progress(peer.name)
    results[peer.name] = await runPeer(peer, step)
    if (peer.perToken) results[peer.name] = await runSmaller(peer, step, results[peer.name], progress)
    const result = results[peer.name]
    const timed = 'ms' in result && `${result.ms.toFixed(1)} ms, ${result.beside.ratio.toFixed(2)} times Lathe's`
    progress(`${peer.name}: ${timed || 'not timed'}`)
  }
  return results
}

/** Half the sequences, and half of them again, until the peer can hold them. */
async function runSmaller(
  peer: Peer,
  step: PeerStep,
  whole: PeerResult,
  progress: (name: string) => void,
): Promise<PeerResult> {
  let result = whole
  for (let batch = step.data.count >> 1; 'failed' in result && batch > 0; batch >>= 1) {
    progress(`${peer.name} failed (${result.failed}); batch ${batch}`)
    result = await runPeer(peer, { ...step, ...(await step.part(batch)) })
    if ('ms' in result) {
      const times = step.data.count / batch
      return { ms: times * result.ms, beside: { ...result.beside, ratio: times * result.beside.ratio }, batch }
    }
  }
  return result
}

/** Measures the gradients of one step on every peer, beside those wanted; nothing is timed. */
export async function peerErrors(
  peers: readonly Peer[],
  task: PeerTask,
  progress: (name: string) => void = () => {},
): Promise<Record<string, PeerError>> {
  const errors: Record<string, PeerError> = {}
  for (const peer of peers) {
    progress(peer.name)
    errors[peer.name] = await talkWith(peer, task, async (got) => {
      return { error: compareGradients(got, task.wanted).whole }
    })
  }
  return errors
}

const runPeer = (peer: Peer, step: PeerStep): Promise<PeerResult> =>
  talkWith<PeerResult>(peer, step, async (got, train) => {
    const error = disagreement(got, step.wanted)
    if (!(error <= peerBars[peer.precision])) return { disagrees: error }
    const least = peer.perToken ? 3 : 5 // a step of theirs takes many seconds
    const [theirs, ours] = await timeInTurn([train, step.lathe], { least, seconds: 2 * step.seconds })
    return { ms: median(theirs), beside: ratioOf(theirs, ours) }
  })

async function writeStep(folder: string, { model, data, threads }: PeerTask): Promise<void> {
  const { tokens, targets, lossWeights } = data.inputs
  const { values, shapes } = data.parameters
  const rows = [data.count, model.length]
  const tensors = new Map(Object.entries(values).map(([name, value]) => [name, fromFloat32(shapes[name], value)]))
  tensors.set('tokens', fromInt32(rows, tokens)).set('targets', fromInt32(rows, targets))
  tensors.set('lossWeights', fromFloat32(rows, lossWeights))
  await writeSafetensors(join(folder, 'step.safetensors'), tensors)
  const settings = { config: model.config, optimizer: benchOptimizer, threads }
  await writeFile(join(folder, 'step.json'), JSON.stringify(settings))
}

const computed = z.object({ loss: z.number(must('a number')) })
const timed = z.object({ ms: positiveNumber })

/** Has a peer compute a step; `train` has it run a whole one. */
async function talkWith<T>(
  peer: Peer,
  task: PeerTask,
  use: (got: LossAndGradients, train: Timed) => Promise<T>,
): Promise<T | { readonly failed: string }> {
  if (!task.model.config) return { failed: 'has no such model' }
  const folder = await mkdtemp(join(tmpdir(), 'lathe-peer-'))
  let peerProcess: ReturnType<typeof startPeer> | undefined
  try {
    await writeStep(folder, task)
    const started = startPeer(peer, folder)
    peerProcess = started
    const { loss } = parseSettings(computed, await started.read(), 'its answer')
    const { tensors } = await readSafetensors(join(folder, 'gradients.safetensors'))
    const gradients = Object.fromEntries([...tensors].map(([name, tensor]) => [name, toFloat32(tensor, name)]))
    return await use({ loss, gradients }, async () => {
      started.goOn()
      return parseSettings(timed, await started.read(), 'its answer').ms
    })
  } catch (error) {
    if (error instanceof LatheError) return { failed: error.message }
    throw error
  } finally {
    await peerProcess?.end()
    await rm(folder, { recursive: true })
  }
}

/** A peer's process: lines of JSON come from it; a line to it has it run a step. */
function startPeer({ command: [program, ...args], variant }: Peer, folder: string) {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } // the scripts' folder stays as it is
  const child = spawn(program, [...args, folder, variant], { env })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-4000)
  })
  child.stdin.on('error', () => {}) // a peer that is gone says why on stderr
  const closed = once(child, 'close').catch((error: Error) => {
    complaint = error.message
  })
  return {
    async read(): Promise<unknown> {
      const { value, done } = await lines.next()
      if (done) {
        await closed
        throw new LatheError(complaint.trim().split('\n').at(-1) || `ended with ${child.signalCode ?? child.exitCode}`)
      }
      try {
        return JSON.parse(value)
      } catch {
        throw new LatheError(`printed no JSON: ${value}`)
      }
    },
    goOn: () => child.stdin.write('train\n'),
    async end(): Promise<void> {
      child.kill()
      await closed
    },
  }
}
