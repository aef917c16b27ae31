import type { Instruction, Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import { formatType } from '../tensor/type.ts'
import { MOST_GROUPS } from './executor.ts'

/** Which inputs are ids or rows to begin at, and how many of them the table has room for. */
type Bounds = ReadonlyMap<string, { readonly rows: number; readonly mayBeNegative: boolean }>

const known = new WeakMap<Program, Bounds>()

/**
 * What every executor checks of a Program before it is compiled, once: no tensor is empty, a state is read through what
 * was appended to it, and what the Program counts itself (a loop's index, predictions) lies within its tables.
 * Returns which inputs must lie within tables, for every run. Throws a LatheError that names the Program, also for `groups`
 * out of range.
 */
export function checkProgram(program: Program, groups = 1): Bounds {
  if (!Number.isInteger(groups) || groups < 1 || groups > MOST_GROUPS)
    throw new LatheError(`${program.name}: groups must be a whole number from 1 to ${MOST_GROUPS}, got ${groups}`)
  const before = known.get(program)
  if (before) return before
  checkSizes(program)
  checkStates(program)
  const bounds = findBounds(program)
  known.set(program, bounds)
  return bounds
}

function checkSizes({ name, values, parameters, inputs, states, outputs, sums }: Program): void {
  const named = [...parameters, ...inputs, ...states, ...outputs, ...sums]
  const empty = [...named, ...values].find(({ shape }) => shape.some((size) => !Number.isInteger(size) || size < 1))
  if (!empty) return
  const what = 'name' in empty ? ` ${empty.name}` : ''
  throw new LatheError(`${name}: a tensor${what} of ${formatType(empty)}: every size must be a whole number, 1 or more`)
}

/** Only states are appended to. Equal reads of a state are not one: rows may be appended between them. */
function checkStates({ name, instructions, states, outputs }: Program): void {
  const names = new Map(states.map((state) => [state.value, state.name]))
  const refuse = (reader: string, values: readonly number[]): void => {
    const read = values.find((value) => names.has(value))
    if (read !== undefined)
      throw new LatheError(`${name}: ${reader} reads the state ${names.get(read)}: read what append returns`)
  }
  const visit = (list: readonly Instruction[]): void => {
    for (const { op, inputs, block } of list) {
      if (op === 'append' && !names.has(inputs[0]))
        throw new LatheError(
          `${name}: append writes to %${inputs[0]}, which is no state: only a state is a sequence's own`,
        )
      refuse(op, op === 'append' ? inputs.slice(1) : inputs)
      if (!block) continue
      refuse(op, [...block.next, ...block.collected])
      visit(block.instructions)
    }
  }
  visit(instructions)
  for (const output of outputs) refuse(`output ${output.name}`, [output.value])
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
