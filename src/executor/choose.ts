import { LatheError } from '../settings/error.ts'
import type { Executor, Precision } from './executor.ts'
import { nativeExecutor, nativeIsBuilt } from './native/index.ts'
import { referenceExecutor } from './reference/index.ts'

export interface ExecutorChoice {
  /** `auto` is the native executor where it was built, else the reference. */
  readonly executor?: 'auto' | 'native' | 'reference'
  readonly precision?: 'auto' | Precision
  readonly threads?: number
  /** Whether what each kernel takes is kept; the native executor alone can. */
  readonly timed?: boolean
}

/** The executor that the settings ask for. Throws a LatheError for what this machine does not have. */
export function chooseExecutor(choice: ExecutorChoice = {}): Executor {
  const { executor = 'auto', precision = 'auto', threads, timed } = choice
  const exact = precision === 'auto' ? undefined : precision
  if (executor === 'native' || (executor === 'auto' && nativeIsBuilt()))
    return nativeExecutor({ precision: exact, threads, timed })
  if (timed)
    throw new LatheError('only the native executor knows what each kernel takes, and this is the reference executor')
  if (process.env.LATHE_ISA)
    throw new LatheError(
      `LATHE_ISA ${process.env.LATHE_ISA} needs the native executor, and this is the reference executor`,
    )
  if (threads !== undefined && threads !== 1)
    throw new LatheError(
      `the reference executor has one thread, not ${threads}: build the native one, or leave threads out`,
    )
  return referenceExecutor({ precision: exact })
}
