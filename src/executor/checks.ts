/**
 * What every executor checks of a run before it begins.
 */
import type { Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sizeOf, type TensorType } from '../tensor/type.ts'
import { checkProgram } from './check-program.ts'
import type { Arrays, Executable, Job, Run } from './executor.ts'

/** Checks a run's arrays against the Program, once for all executors. */
export function checkRun(
  program: Program,
  { count, parameters = {}, inputs = {}, states = {}, outputs = {} }: Run,
): void {
  const check = (kind: string, arrays: Arrays, wanted: readonly (TensorType & { name: string })[], copies: number) => {
    for (const type of wanted) {
      const array = arrays[type.name]
      const right = array && (type.dtype === 'f32' ? array instanceof Float32Array : array instanceof Int32Array)
      if (!right || array.length !== copies * sizeOf(type.shape))
        throw new LatheError(
          `${program.name}: ${kind} ${type.name} must be ${copies} × ${formatType(type)}, got ${array ? `${array.constructor.name} of ${array.length}` : 'nothing'}`,
        )
    }
  }
  if (!Number.isInteger(count) || count < 0) throw new LatheError(`${program.name}: a run of ${count} sequences`)
  check('parameter', parameters, program.parameters, 1)
  check('input', inputs, program.inputs, count)
  check('state', states, program.states, count)
  const destinations = program.outputs.filter((o) => outputs[o.name])
  check('output', outputs, destinations, count)
  checkIds(program, inputs)
}

/** Checks jobs that run together: one executable may come twice only when nothing of it is shared between them. */
export function checkJobs(jobs: readonly Job[]): void {
  const seen = new Set<Executable>()
  for (const { executable } of jobs) {
    const { name, parameters, sums } = executable.program
    if (seen.has(executable) && (parameters.length > 0 || sums.length > 0))
      throw new LatheError(
        `${name} has parameters or sums and comes twice in runAll: run it again, or compile it twice`,
      )
    seen.add(executable)
  }
}

/** Checks the arrays that sums are to be added to. */
export function checkSums(program: Program, into: Readonly<Record<string, Float32Array>>): void {
  for (const [name, array] of Object.entries(into)) {
    const sum = program.sums.find((s) => s.name === name)
    if (!sum)
      throw new LatheError(`${program.name} has no sum ${name}; it has ${program.sums.map((s) => s.name).join(', ')}`)
    if (!(array instanceof Float32Array))
      throw new LatheError(`${program.name}: the sum ${name} is ${formatType(sum)}, what is given is no Float32Array`)
    if (array.length !== sizeOf(sum.shape))
      throw new LatheError(
        `${program.name}: the sum ${name} is ${formatType(sum)}, the array given has ${array.length}`,
      )
  }
}

/** Refuses ids that point outside of their table: a kernel would read or write foreign memory. */
function checkIds(program: Program, inputs: Arrays): void {
  for (const [name, { rows, mayBeNegative }] of checkProgram(program)) {
    const ids = inputs[name]
    for (let i = 0; i < ids.length; i++)
      if (ids[i] >= rows || (ids[i] < 0 && !mayBeNegative))
        throw new LatheError(`${program.name}: input ${name} holds ${ids[i]} at ${i}; it must be from 0 to ${rows - 1}`)
  }
}
