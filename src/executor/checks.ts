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

/**
 * Checks that what a Program itself computes (a loop's index, predictions) lies within the tables that it is used in, and
 * finds out which inputs must. Once for all executors, before a Program is compiled.
 */
export function checkProgram(program: Program): void {
  if (!known.has(program)) known.set(program, findBounds(program))
}

function findBounds(program: Program): Bounds {
  const origins = originsOf(program)
  const bounds = new Map<string, { rows: number; mayBeNegative: boolean }>()
  const note = (op: string, value: number, rows: number, mayBeNegative = false): void => {
    const { inputs, largest } = origins.get(value) ?? nowhere
    if (largest >= rows)
      throw new LatheError(
        `${program.name}: ${op} may meet ${largest}, from a loop's index or predictions, where there is room for 0 to ${rows - 1}`,
      )
    for (const name of inputs) {
      const before = bounds.get(name) ?? { rows, mayBeNegative }
      bounds.set(name, { rows: Math.min(rows, before.rows), mayBeNegative: mayBeNegative && before.mayBeNegative })
    }
  }
  const visit = (instructions: readonly Instruction[]): void => {
    for (const { op, inputs, outputs, block, attributes } of instructions) {
      if (block) visit(block.instructions)
      const rows = (input: number) => program.values[inputs[input]].shape[0]
      if (op === 'embed' || op === 'takeRow') note(op, inputs[1], rows(0))
      if (op === 'putRow') note(op, inputs[1], program.values[outputs[0]].shape[0])
      if (op === 'embedGrad') note(op, inputs[0], program.values[outputs[0]].shape[0])
      if (op === 'linearCrossEntropy' || op === 'linearCrossEntropyGrad') note(op, inputs[2], rows(1), true)
      if (op === 'append') {
        note(op, inputs[1], rows(0))
        note(op, inputs[3], program.values[inputs[0]].shape[1] - rows(2) + 1)
      }
      if (op === 'attention' && attributes.start) note(op, inputs[3], rows(1) - rows(0) + 1)
    }
  }
  visit(program.instructions)
  return bounds
}

/** Where the integers of a value come from: inputs of the Program, and what it counts itself, up to `largest`. */
interface Origins {
  readonly inputs: ReadonlySet<string>
  readonly largest: number
}
const nowhere: Origins = { inputs: new Set(), largest: -1 }

/** The origins of every value of integers, cut, joined or handed to a loop. */
function originsOf({ inputs: given, instructions: all, values }: Program): ReadonlyMap<number, Origins> {
  const origins = new Map<number, Origins>(
    given.map(({ value, name }) => [value, { inputs: new Set([name]), largest: -1 }]),
  )
  let grown = true
  const pass = (to: number, from: readonly number[]): void => {
    const before = origins.get(to) ?? nowhere
    const all = [before, ...from.map((value) => origins.get(value) ?? nowhere)]
    const inputs = new Set(all.flatMap(({ inputs }) => [...inputs]))
    const largest = Math.max(...all.map(({ largest }) => largest))
    grown ||= inputs.size > before.inputs.size || largest > before.largest
    origins.set(to, { inputs, largest })
  }
  const visit = (instructions: readonly Instruction[]): void => {
    for (const { op, inputs, outputs, attributes, block } of instructions) {
      if (block) {
        origins.set(block.index, { inputs: new Set(), largest: (attributes.count as number) - 1 })
        for (const [i, value] of [...block.carry, ...block.scanned].entries()) pass(value, [inputs[i]])
        visit(block.instructions)
        for (const [i, value] of block.carry.entries()) pass(value, [block.next[i]])
        for (const [i, value] of outputs.entries()) pass(value, [[...block.carry, ...block.collected][i]])
        continue
      }
      const integers = outputs.filter((output) => values[output].dtype === 'i32')
      const copied = op === 'takeRow' || op === 'putRow' ? inputs.slice(0, 1) : inputs // an index is not what it points at
      for (const output of integers)
        if (op === 'linearCrossEntropy')
          origins.set(output, { inputs: new Set(), largest: values[inputs[1]].shape[0] - 1 })
        else pass(output, copied)
    }
  }
  while (grown) {
    grown = false
    visit(all) // what a loop hands on is known only at its end
  }
  return origins
}

/** Refuses ids that point outside of their table: a kernel would read or write foreign memory. */
function checkIds(program: Program, inputs: Arrays): void {
  checkProgram(program)
  for (const [name, { rows, mayBeNegative }] of known.get(program)!) {
    const ids = inputs[name]
    for (let i = 0; i < ids.length; i++)
      if (ids[i] >= rows || (ids[i] < 0 && !mayBeNegative))
        throw new LatheError(`${program.name}: input ${name} holds ${ids[i]} at ${i}; it must be from 0 to ${rows - 1}`)
  }
}
