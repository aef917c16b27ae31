import type { Block, Instruction, Program } from '../../compile/program.ts'
import { ElementwiseGroup } from './elementwise.ts'
import type { UseTable } from './uses.ts'

/** Who reads a value: a product, which rounds it; a stack that it becomes a slice of, or a slice; or anything else. */
type Read = 'operand' | 'other' | { readonly as: number }

/** Whether an input of an instruction is an operand of products and nothing else. */
function isOperand({ op, attributes }: Instruction, i: number): boolean {
  if (op === 'attention' || op === 'attentionGrad') return i === 2 || (i < 2 && attributes.ropeBase === 0)
  return i < (op === 'matmul' ? 2 : op === 'linearCrossEntropy' || op === 'linearCrossEntropyGrad' ? 1 : 0)
}

/** Rows of halves are lines of operands: native/kernels.h wants them whole. */
const LINE = 32

/** Outputs that a kernel can round as it writes them. */
const roundable = (instruction: Instruction): readonly number[] => {
  const { op, inputs, outputs } = instruction
  if (op === 'attentionGrad') return outputs.slice(0, 3)
  const is = op === 'norm' || (op === 'matmul' && inputs.length === 2) || ElementwiseGroup.accepts(instruction)
  return is ? outputs.slice(0, 1) : []
}

/**
 * Values that are kept as bf16 in bf16 mode: those that products alone read, made by kernels that can round what they
 * write. Results have the same bits, since products round their operands anyway.
 */
export function findHalves(program: Program, uses: UseTable): Set<number> {
  const reads = new Map<number, Read[]>()
  const made: number[] = []
  const read = (value: number, how: Read): void => {
    const id = uses.resolve(value)
    const known = reads.get(id)
    if (known) known.push(how)
    else reads.set(id, [how])
  }
  const visitLoop = ({ inputs, outputs, attributes }: Instruction, block: Block): void => {
    const { carry, scanned, collected, next, instructions } = block
    for (const [i, value] of inputs.entries()) {
      const slice = scanned[i - carry.length]
      read(value, slice === undefined || uses.resolve(value) !== value ? 'other' : { as: slice })
    }
    for (const value of next) read(value, 'other')
    for (const [i, value] of collected.entries()) {
      const here = instructions.some((maker) => maker.op !== 'reshape' && maker.outputs.includes(value))
      const direct = here && !attributes.bounded && collected.indexOf(value) === i
      read(value, direct ? { as: outputs[carry.length + i] } : 'other')
    }
    visit(instructions)
  }
  const visit = (instructions: readonly Instruction[]): void => {
    for (const instruction of instructions) {
      const { op, inputs, block } = instruction
      if (op === 'reshape') continue
      made.push(...roundable(instruction))
      if (block) {
        visitLoop(instruction, block)
        continue
      }
      for (const [i, value] of inputs.entries()) {
        const whole = (program.values[value].shape.at(-1) ?? 1) % LINE === 0
        read(value, whole && isOperand(instruction, i) ? 'operand' : 'other')
      }
    }
  }
  visit(program.instructions)
  for (const { value } of program.outputs) read(value, 'other')

  /** The value and all that share its memory; undefined where something reads it that wants f32, or nothing does. */
  const namesOf = (value: number): number[] | undefined => {
    const names = [value]
    for (const how of reads.get(value) ?? ['other' as const]) {
      const more = how === 'operand' ? [] : how === 'other' ? undefined : namesOf(how.as)
      if (!more) return undefined
      names.push(...more)
    }
    return names
  }
  return new Set(made.flatMap((value) => namesOf(value) ?? []))
}
