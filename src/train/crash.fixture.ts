import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineRecipe } from '../recipes/index.ts'
import { RandomStream } from '../tensor/random.ts'
import { createRun } from './run-folder.ts'

const steps = 20
const every = 2
const recipe = defineRecipe({
  name: 'crash',
  task: { name: 'phop', n: 8, p: 1, loss: 'every' },
  model: { plan: '1x2', dModel: 16, nHeads: 2, dFf: 32 },
  steps,
  batch: 2,
  optimizer: { name: 'adamw', lr: 1e-2 },
  evaluate: { every: 5, samples: 4 },
  checkpoint: { every, keep: 2 },
})

// Ours: a run is killed up to three times, so that what mends a crash is itself cut short.
const killsPerRun = 3

export interface CrashOptions {
  /** An empty folder to work in. */
  readonly folder: string
  readonly kills: number
  /** Of the random times. */
  readonly seed: number
  /** Runs at a time. */
  readonly jobs: number
  readonly onKill?: (done: number) => void
}

/** What was done. Every run ended as the one that nobody killed. */
export interface CrashResult {
  readonly runs: number
  readonly kills: number
  /** Of these, at a file call of a save; the others at random times. */
  readonly atCalls: number
  /** File calls of two saves: the kills go through them in turn. */
  readonly calls: number
}

/**
 * Kills trainings with SIGKILL, in turn at a file call of a save and at a random time, goes on with them until they end,
 * and compares weights, optimizer and metrics with those of a run that nobody killed. Throws where a byte differs, and
 * where a training that was killed cannot go on.
 */
export async function crash({ folder, kills, seed, jobs, onKill }: CrashOptions): Promise<CrashResult> {
  const blank = join(folder, 'blank')
  await createRun(recipe, { executor: 'reference', isa: 'typescript', precision: 'f32', threads: 1 }, { path: blank })
  const through = join(folder, 'through')
  await cp(blank, through, { recursive: true })
  const whole = await trainOnce(through)
  const wanted = await outcome(through)
  const calls = Math.ceil((2 * whole.calls) / (steps / every))
  const quotas = Array.from({ length: jobs }, (_, job) => Math.floor((kills + job) / jobs))
  const atCalls = quotas.reduce((total, quota) => total + Math.ceil(quota / 2), 0)
  const points = Array.from(
    { length: atCalls },
    (_, i) => 1 + (Math.floor((i * calls) / Math.min(atCalls, calls)) % calls),
  )
  let runs = 0
  let done = 0

  const worker = async (quota: number, job: number) => {
    const random = new RandomStream(seed, 'crash', job)
    const nextKill = (atCall: boolean): Kill =>
      atCall ? { call: points.shift() } : { milliseconds: random.uniform() * whole.milliseconds }
    let left = quota
    while (left > 0) {
      const path = join(folder, `run-${runs++}`)
      await cp(blank, path, { recursive: true })
      const told: string[] = []
      for (let i = 0; ; i++) {
        const kill = i < killsPerRun && left > 0 ? nextKill((quota - left) % 2 === 0) : {}
        const { killed } = await trainOnce(path, kill)
        if (kill.call !== undefined && !killed) points.unshift(kill.call) // not reached: for the next run
        if (!killed) break
        told.push(JSON.stringify(kill))
        left--
        done++
        onKill?.(done)
      }
      await compare(path, wanted, told)
      await rm(path, { recursive: true })
    }
  }
  await Promise.all(quotas.map(worker))
  return { runs, kills: done, atCalls, calls }
}

async function compare(path: string, wanted: Record<string, Buffer>, kills: readonly string[]): Promise<void> {
  const found = await outcome(path)
  for (const [file, content] of Object.entries(wanted)) {
    if (found[file]?.equals(content)) continue
    throw new Error(`${path}: ${file} differs from that of a run that was not killed; kills: ${kills.join(', ')}`)
  }
}

interface Kill {
  /** Counted over the saves of the process. */
  readonly call?: number
  /** After training began. */
  readonly milliseconds?: number
}

const child = fileURLToPath(new URL('./crash-child.fixture.ts', import.meta.url))

/** Trains a run in a process of its own, to the end or until it is killed. */
async function trainOnce(path: string, { call = 0, milliseconds }: Kill = {}) {
  const env = { ...process.env, LATHE_CRASH_CALL: String(call) }
  const trainer = spawn(process.execPath, ['--import', 'tsx', child, path], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let errors = ''
  let began = 0
  let timer: NodeJS.Timeout | undefined
  trainer.stdout.on('data', (text) => {
    said += text
    if (began > 0) return
    began = performance.now()
    if (milliseconds !== undefined) timer = setTimeout(() => trainer.kill('SIGKILL'), milliseconds)
  })
  trainer.stderr.on('data', (text) => {
    errors += text
  })
  const [code, signal] = await once(trainer, 'close')
  clearTimeout(timer)
  const killed = signal === 'SIGKILL'
  if (code !== 0 && !killed) throw new Error(`${path}: training ended with ${signal ?? code}: ${errors}`)
  return { killed, calls: Number(said.split('\n')[1]), milliseconds: performance.now() - began }
}

/** The bytes that a crash must not change. */
async function outcome(path: string): Promise<Record<string, Buffer>> {
  const last = join('checkpoints', `step-${steps}`)
  const files = ['metrics.jsonl', ...(await readdir(join(path, last))).map((name) => join(last, name))]
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await readFile(join(path, file))])))
}
