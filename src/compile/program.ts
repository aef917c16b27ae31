import type { Attributes } from '../graph/graph.ts'
import { ops } from '../ops/index.ts'
import { formatType, type TensorType } from '../tensor/type.ts'

/** A named tensor of a Program's surface and the value that it is inside. */
export interface Binding extends TensorType {
  readonly name: string
  readonly value: number
}

/** One op on values by number. `repeat` has a block; `accumulate` adds its input to the sum that it names. */
export interface Instruction {
  readonly op: string
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly attributes: Attributes
  readonly block?: Block
}

/** The body of a loop. Values from outside are used by number, too. */
export interface Block {
  readonly index: number
  readonly carry: readonly number[]
  readonly next: readonly number[]
  readonly scanned: readonly number[]
  readonly collected: readonly number[]
  readonly instructions: readonly Instruction[]
}

/**
 * What one sequence computes, as plain data, the same for every executor: no layout, no memory plan.
 * Four kinds of tensor have names: parameters (shared), inputs, states (persistent, appended by position) and outputs,
 * of which `sums` are added up over the sequences of a batch.
 */
export interface Program {
  readonly name: string
  /** Type of each value, by number. */
  readonly values: readonly TensorType[]
  readonly parameters: readonly Binding[]
  readonly inputs: readonly Binding[]
  readonly states: readonly Binding[]
  readonly outputs: readonly Binding[]
  readonly sums: readonly (TensorType & { readonly name: string })[]
  readonly instructions: readonly Instruction[]
}

/**
 * FLOPs of one sequence: matrix products alone, once forward and twice backward, loops at their full count. What is
 * computed again so that less is kept does not count.
 */
export function programFlops({ values, instructions }: Program): number {
  const count = (list: readonly Instruction[]): number =>
    list.reduce((total, { op, inputs, attributes, block }) => {
      if (attributes.recomputed) return total
      if (block) return total + (attributes.count as number) * count(block.instructions)
      return (
        total +
        (ops.get(op)?.flops?.(
          inputs.map((v) => values[v]),
          attributes,
        ) ?? 0)
      )
    }, 0)
  return count(instructions)
}

const list = (ids: readonly number[]): string => ids.map((id) => `%${id}`).join(', ')

/** Attributes as text; equal text means equal attributes. */
export function printAttributes(attributes: Attributes): string {
  const entries = Object.entries(attributes).filter(([, value]) => value !== false)
  // JSON has no infinities and no NaN.
  const print = (value: unknown) =>
    typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : JSON.stringify(value)
  return entries.length ? ` {${entries.map(([k, v]) => `${k}: ${print(v)}`).join(', ')}}` : ''
}

function printInstruction(
  { op, inputs, outputs, attributes, block }: Instruction,
  values: Program['values'],
  indent: string,
): string {
  const left = outputs.length ? `${outputs.map((id) => `%${id} ${formatType(values[id])}`).join(', ')} = ` : ''
  const head = `${indent}${left}${op}(${list(inputs)})${printAttributes(attributes)}`
  if (!block) return head
  const parts = [`index %${block.index}`, `carry ${list(block.carry)}`]
  if (block.scanned.length) parts.push(`slices ${list(block.scanned)}`)
  const inner = block.instructions.map((i) => printInstruction(i, values, `${indent}  `))
  const tail = `${indent}  next ${list(block.next)}${block.collected.length ? `; collect ${list(block.collected)}` : ''}`
  return [`${head} with ${parts.join('; ')} {`, ...inner, tail, `${indent}}`].join('\n')
}

/** A Program as text, one instruction a line. */
export function printProgram(program: Program): string {
  const surface = (kind: string, bindings: readonly Binding[]) =>
    bindings.map((b) => `  ${kind} %${b.value} ${formatType(b)} ${b.name}`)
  return [
    `program ${program.name} {`,
    ...surface('parameter', program.parameters),
    ...surface('input', program.inputs),
    ...surface('state', program.states),
    ...program.instructions.map((i) => printInstruction(i, program.values, '  ')),
    ...surface('output', program.outputs),
    ...program.sums.map((s) => `  sum ${formatType(s)} ${s.name}`),
    '}',
  ].join('\n')
}
