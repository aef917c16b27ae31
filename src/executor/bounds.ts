import type { Instruction, Program } from '../compile/program.ts'
import { LatheError } from '../settings/error.ts'
import type { Arrays } from './executor.ts'

/** Which inputs are ids or rows to begin at, and how many of them the table has room for. */
type Bounds = ReadonlyMap<string, { readonly rows: number; readonly mayBeNegative: boolean }>

const known = new WeakMap<Program, Bounds>()

function findBounds(program: Program): Bounds {
  const names = new Map(program.inputs.map(({ value, name }) => [value, name]))
  const bounds = new Map<string, { rows: number; mayBeNegative: boolean }>()
  const note = (value: number, rows: number, mayBeNegative = false): void => {
    const name = names.get(value)
    if (name !== undefined) bounds.set(name, { rows: Math.min(rows, bounds.get(name)?.rows ?? rows), mayBeNegative })
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

/** Refuses ids that point outside of their table: a kernel would read or write foreign memory. */
export function checkIds(program: Program, inputs: Arrays): void {
  const bounds = known.get(program) ?? findBounds(program)
  known.set(program, bounds)
  for (const [name, { rows, mayBeNegative }] of bounds) {
    const ids = inputs[name]
    for (let i = 0; i < ids.length; i++)
      if (ids[i] >= rows || (ids[i] < 0 && !mayBeNegative))
        throw new LatheError(`${program.name}: input ${name} holds ${ids[i]} at ${i}; it must be from 0 to ${rows - 1}`)
  }
}
