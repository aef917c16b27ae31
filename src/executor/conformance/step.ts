import { compileForward, type Program, type TrainingPrograms } from '../../compile/index.ts'
import { input, output, type Tensor, trace } from '../../graph/graph.ts'
import type { Tensors } from '../../ops/index.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf } from '../../tensor/type.ts'
import type { Arrays, Executor, Numbers, Run } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'
import { drawAll, type Sample } from './data.ts'

export type Sums = Record<string, Float32Array>

/** A zeroed array for each sum of a Program. */
export const emptySums = ({ sums }: Program): Sums =>
  Object.fromEntries(sums.map((s) => [s.name, new Float32Array(sizeOf(s.shape))]))

/** Runs one Program: its outputs and its sums. */
export async function runProgram(executor: Executor, program: Program, run: Run, groups?: number) {
  const executable = executor.compile(program, { groups })
  const outputs = await executable.run(run)
  const sums = emptySums(program)
  await executable.reduce(sums)
  return { outputs, sums }
}

/** Runs the Programs of a training step one after the other. Gradients of parameters are under `grad:NAME`. */
export async function runStep(
  executor: Executor,
  { main, derive, pullback }: TrainingPrograms,
  run: Run,
  groups?: number,
) {
  const derived = derive ? await executor.compile(derive).run({ count: 1, parameters: run.parameters }) : {}
  const parameters = { ...run.parameters, ...derived }
  const { outputs, sums } = await runProgram(executor, main, { ...run, parameters }, groups)
  if (!pullback) return { outputs, sums }
  const pulled = await runProgram(executor, pullback, { count: 1, parameters: run.parameters, inputs: sums })
  for (const [name, more] of Object.entries(pulled.sums)) sums[name] = sums[name]?.map((x, i) => x + more[i]) ?? more
  return { outputs, sums }
}

/** The data of samples, without their types. */
export const dataOf = (values: Readonly<Record<string, { readonly data: Numbers }>>): Arrays =>
  Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data]))

/** What `fn` makes of the given inputs, for one sequence. */
export async function evaluate(
  samples: Readonly<Record<string, Sample>>,
  fn: (tensors: Record<string, Tensor>) => Tensors,
  executor: Executor = referenceExecutor(),
): Promise<Record<string, Numbers>> {
  const graph = trace('evaluate', () => {
    const tensors = Object.entries(samples).map(([name, s]) => [name, input(name, s.shape, s.dtype)])
    for (const [name, tensor] of Object.entries(fn(Object.fromEntries(tensors)))) output(name, tensor)
  })
  const { main } = compileForward(graph)
  return executor.compile(main).run({ count: 1, inputs: dataOf(drawAll(samples, 'evaluate')) })
}

/** The message of the one-line LatheError with which tracing `fn` ends. */
export function refusal(fn: () => unknown): string {
  try {
    trace('refused', fn)
  } catch (error) {
    if (error instanceof LatheError && !error.message.includes('\n')) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}
