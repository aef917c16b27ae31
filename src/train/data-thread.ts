import { Worker } from 'node:worker_threads'
import type { Recipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import type { BatchSettings, MicroBatch } from './batches.ts'

/** The batch of update `step`, counted from 0, of a task that is named by its settings: plain data, as threads pass it. */
export interface BatchRequest {
  readonly task: Recipe['task']
  readonly settings: BatchSettings
  readonly step: number
}

/** A batch, or in one line why there is none. */
export type BatchReply = { readonly parts: MicroBatch[] } | { readonly refused: string }

interface Waiting {
  resolve(parts: MicroBatch[]): void
  reject(error: Error): void
}

/**
 * A worker thread that draws batches, so that neither the event loop nor the executor waits for them. It starts when it
 * is first asked, answers in the order of asking, and keeps the process alive only while somebody waits.
 */
export class DataThread {
  private running?: { readonly worker: Worker; readonly waiting: Waiting[] }

  /** Throws a LatheError when the task refuses, and whatever the thread ended with when it ends. */
  draw(request: BatchRequest): Promise<MicroBatch[]> {
    const { worker, waiting } = (this.running ??= this.start())
    worker.ref()
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
      worker.postMessage(request)
    })
  }

  private start() {
    // The folder of scripts is beside src/ and beside dist/ alike.
    const worker = new Worker(new URL('../../scripts/data-worker.js', import.meta.url), { execArgv: [] })
    const waiting: Waiting[] = []
    worker.on('message', (reply: BatchReply) => {
      const first = waiting.shift()
      if (waiting.length === 0) worker.unref()
      if ('parts' in reply) first?.resolve(reply.parts)
      else first?.reject(new LatheError(reply.refused))
    })
    // An error may come before the replies of earlier requests, and an exit follows it.
    const end = (error: Error) => {
      if (this.running?.worker === worker) this.running = undefined
      for (const { reject } of waiting.splice(0)) reject(error)
    }
    worker.on('error', end)
    worker.on('exit', (code) => end(new LatheError(`the thread that draws batches ended with code ${code}`)))
    return { worker, waiting }
  }
}
