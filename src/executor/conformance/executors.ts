import type { Executor, Precision } from '../executor.ts'
import { nativeExecutor, nativeVariants } from '../native/index.ts'
import { referenceExecutor } from '../reference/index.ts'

/** One way of computing that this machine has, in one precision. */
export interface Candidate {
  readonly name: string
  readonly precision: Precision
  make(options?: { threads?: number }): Executor
}

const precisions: readonly Precision[] = ['f32', 'bf16']

/** The oracle in both precisions. */
export const references: readonly Candidate[] = precisions.map((precision) => ({
  name: `reference in ${precision}`,
  precision,
  make: () => referenceExecutor({ precision }),
}))

/** Everything else: what is added here has to pass the whole suite. */
export const candidates: readonly Candidate[] = nativeVariants().flatMap((isa) =>
  precisions.map((precision) => ({
    name: `native ${isa} in ${precision}`,
    precision,
    make: ({ threads = 1 } = {}) => nativeExecutor({ isa, precision, threads }),
  })),
)
