/**
 * A process that trains the run in a folder, for the crash harness. With LATHE_CRASH_CALL=N it ends itself by SIGKILL at
 * the Nth file call of its saves; a write is cut in half then. Prints 'begin', and at its end how many calls there were.
 */
import type { FileHandle } from 'node:fs/promises'
import * as nodeFs from 'node:fs/promises'
import { referenceExecutor } from '../executor/reference/index.ts'
import type { FileSystem } from '../files/durable-file.ts'
import { BatchSource } from './batch-source.ts'
import { openRun } from './run-folder.ts'
import { train } from './trainer.ts'

const crashAt = Number(process.env.LATHE_CRASH_CALL ?? 0)
let calls = 0

/** The same object, with every call of these names counted. */
function counted<T extends object>(target: T, names: readonly string[]): T {
  return new Proxy(target, {
    get(_, name: string) {
      const call = Reflect.get(target, name)
      if (typeof call !== 'function') return call
      if (!names.includes(name)) return call.bind(target)
      return async (...args: unknown[]) => {
        if (++calls === crashAt) {
          if (name === 'write') await halfWrite(target as FileHandle, args as [Uint8Array, number, number])
          process.kill(process.pid, 'SIGKILL')
        }
        const result = await call.apply(target, args)
        return name === 'open' ? counted(result, ['write', 'sync', 'close']) : result
      }
    },
  })
}

const halfWrite = (handle: FileHandle, [bytes, from, length]: [Uint8Array, number, number]) =>
  handle.write(bytes, from, Math.floor(length / 2))

const fs = counted<FileSystem>({ ...nodeFs }, ['open', 'mkdir', 'readdir', 'rename', 'rm'])
const run = await openRun(process.argv[2])
await new BatchSource(run.recipe, 0).next() // the data thread is up, so that kills come while training goes on
process.stdout.write('begin\n')
await train(run, { executor: referenceExecutor(), fs })
process.stdout.write(`${calls}\n`)
