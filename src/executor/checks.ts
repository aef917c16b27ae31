/**
 * What every executor checks of a run before it begins.
 */
import type { Instruction, Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sizeOf, type TensorType } from '../tensor/type.ts'
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

/** Which inputs are ids or rows to begin at, and how many of them the table has room for. */
type Bounds = ReadonlyMap<string, { readonly rows: number; readonly mayBeNegative: boolean }>

const known = new WeakMap<Program, Bounds>()

function findBounds(program: Program): Bounds {
  const origins = originsOf(program)
  const bounds = new Map<string, { rows: number; mayBeNegative: boolean }>()
  const note = (value: number, rows: number, mayBeNegative = false): void => {
    for (const name of origins.get(value) ?? []) {
      const before = bounds.get(name) ?? { rows, mayBeNegative }
      bounds.set(name, { rows: Math.min(rows, before.rows), mayBeNegative: mayBeNegative && before.mayBeNegative })
    }
  }
  const visit = (instructions: readonly Instruction[]): void => {
    for (const { op, inputs, block, attributes } of instructions) {
      if (block) visit(block.instructions)
      const rows = (input: number) => program.values[inputs[input]].shape[0]
      if (op === 'embed') note(inputs[1], rows(0))
      if (op === 'takeRow') note(inputs[1], rows(0))
      if (op === 'linearCrossEntropy') note(inputs[2], rows(1), true)
      if (op === 'append') {
        note(inputs[1], rows(0))
        note(inputs[3], program.values[inputs[0]].shape[1] - rows(2) + 1)
      }
      if (op === 'attention' && attributes.start) note(inputs[3], rows(1) - rows(0) + 1)
    }
  }
  visit(program.instructions)
  return bounds
}

/** The inputs whose integers a value holds, cut, joined or handed to a loop. */
function originsOf({ inputs: given, instructions: all, values }: Program): ReadonlyMap<number, ReadonlySet<string>> {
  const origins = new Map<number, Set<string>>(given.map(({ value, name }) => [value, new Set([name])]))
  const pass = (to: number, from: readonly number[]): void => {
    const names = from.flatMap((value) => [...(origins.get(value) ?? [])])
    origins.set(to, new Set([...(origins.get(to) ?? []), ...names]))
  }
  const visit = (instructions: readonly Instruction[]): void => {
    for (const { op, inputs, outputs, block } of instructions) {
      if (block) {
        for (const [i, value] of [...block.carry, ...block.scanned].entries()) pass(value, [inputs[i]])
        visit(block.instructions)
        for (const [i, value] of block.carry.entries()) pass(value, [block.next[i]])
        for (const [i, value] of outputs.entries()) pass(value, [[...block.carry, ...block.collected][i]])
        continue
      }
      if (op === 'linearCrossEntropy') continue // its predictions are integers of its own
      for (const output of outputs) if (values[output].dtype === 'i32') pass(output, inputs)
    }
  }
  visit(all)
  visit(all) // what a loop hands on is known only at its end
  return origins
}

/** Refuses ids that point outside of their table: a kernel would read or write foreign memory. */
function checkIds(program: Program, inputs: Arrays): void {
  const bounds = known.get(program) ?? findBounds(program)
  known.set(program, bounds)
  for (const [name, { rows, mayBeNegative }] of bounds) {
    const ids = inputs[name]
    for (let i = 0; i < ids.length; i++)
      if (ids[i] >= rows || (ids[i] < 0 && !mayBeNegative))
        throw new LatheError(`${program.name}: input ${name} holds ${ids[i]} at ${i}; it must be from 0 to ${rows - 1}`)
  }
}
