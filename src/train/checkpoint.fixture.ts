import * as nodeFs from 'node:fs/promises'
import type { FileSystem } from '../files/durable-file.ts'
import { modelConfig } from '../model/config.ts'
import type { Checkpoint, TrainingState } from './checkpoint.ts'

export const config = modelConfig({
  plan: '1x4',
  dModel: 8,
  nHeads: 2,
  vocabulary: 4,
  maxLength: 32,
  initStd: 0.1 + 0.2,
})

/** A checkpoint whose every number depends on the step. */
export function checkpointOf(step: number, state: Partial<TrainingState> = {}): Checkpoint {
  const weights = Float32Array.of(step, -0, 1e-45, Number.NaN, 1 / step, 3.4e38)
  return {
    step,
    parameters: new Map([
      ['model.norm.weight', { shape: [6], data: weights }],
      ['__proto__', { shape: [2, 3], data: weights }],
    ]),
    optimizer: new Map([['m.model.norm.weight', { shape: [6], data: weights.map((x) => x / 3) }]]),
    state: {
      seed: 0,
      cursor: step * 64,
      stage: 0,
      recipe: 'a hash',
      tokens: 2048 * step,
      flops: 1e9 * step,
      best: null,
      lossEma: 0.1 * step,
      ...state,
    },
    config,
  }
}

export function failure(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(code), { code }))
}

/** A file system that fails at its `failing`th call (0: never), of files that it opened too; and from then on when `dead`. */
export function faulty(failing = 0, code = '', dead = false) {
  const calls: string[] = []
  const watched = <T extends object>(target: T, names: readonly string[]): T =>
    new Proxy(target, {
      get(_, name: string) {
        const call = Reflect.get(target, name)
        if (typeof call !== 'function' || !names.includes(name)) return call
        return async (...args: unknown[]) => {
          calls.push(name)
          const isClose = name === 'close' // a handle must not leak, whatever it reports
          if (isClose) await call.apply(target, args)
          if (failing > 0 && (calls.length === failing || (dead && calls.length > failing))) return failure(code)
          const isDone = isClose || name === 'sync' // counted, but no test needs to wait for the disk
          const result = isDone ? undefined : await call.apply(target, args)
          return name === 'open' ? watched(result as object, ['write', 'sync', 'close']) : result
        }
      },
    })
  const names = ['open', 'mkdir', 'readdir', 'rename', 'rm']
  return { fs: watched<FileSystem>({ ...nodeFs }, names), calls }
}
