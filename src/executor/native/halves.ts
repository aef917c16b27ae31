import type { Block, Instruction, Program } from '../../compile/program.ts'
import { sameShape } from '../../tensor/type.ts'
import { ElementwiseGroup } from './elementwise.ts'
import type { UseTable } from './uses.ts'

/**
 * Who reads a value: a product, which rounds it; an elementwise pass, which reads halves as well; a stack that it becomes a
 * slice of, or a slice; or anything else.
 */
type Read = 'operand' | 'element' | 'other' | { readonly as: number }

/** How many of an op's inputs, the first ones, are operands of products and nothing else. */
const operands: Readonly<Record<string, number>> = {
  matmul: 2,
  attention: 3,
  attentionGrad: 4,
  linearCrossEntropy: 1,
  linearCrossEntropyGrad: 1,
}

/** Rows of halves are lines of operands: native/kernels.h wants them whole. */
const LINE = 32

/** How many of an op's outputs, the first ones, its kernel can round as it writes them. */
const roundable: Readonly<Record<string, number>> = { norm: 1, rope: 1, attention: 1, attentionGrad: 3 }

/** Outputs that can be rounded as they are written. */
function roundableOf(instruction: Instruction): readonly number[] {
  const { op, inputs, outputs } = instruction
  const one = (op === 'matmul' && inputs.length === 2) || ElementwiseGroup.accepts(instruction)
  return outputs.slice(0, one ? 1 : (roundable[op] ?? 0))
}

/** An output that is rounded whatever becomes of it: a derivative beside its function. */
const roundedOf = (instruction: Instruction): readonly number[] =>
  ElementwiseGroup.accepts(instruction) ? instruction.outputs.slice(1) : []

/**
 * Values that are kept as bf16 in bf16 mode: those that products alone read, made by kernels that can round what they
 * write, and those that are rounded already. Results have the same bits, since products round their operands anyway.
 */
export function findHalves(program: Program, uses: UseTable): Set<number> {
  const reads = new Map<number, Read[]>()
  const made: { value: number; isRounded: boolean }[] = []
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
      const { op, inputs, outputs, block } = instruction
      if (op === 'reshape') continue
      made.push(...roundableOf(instruction).map((value) => ({ value, isRounded: false })))
      made.push(...roundedOf(instruction).map((value) => ({ value, isRounded: true })))
      if (block) {
        visitLoop(instruction, block)
        continue
      }
      for (const [i, value] of inputs.entries()) {
        const { shape } = program.values[value]
        const whole = (shape.at(-1) ?? 1) % LINE === 0
        const elementwise = ElementwiseGroup.accepts(instruction) && sameShape(shape, program.values[outputs[0]].shape)
        read(value, !whole ? 'other' : i < (operands[op] ?? 0) ? 'operand' : elementwise ? 'element' : 'other')
      }
    }
  }
  visit(program.instructions)
  for (const { value } of program.outputs) read(value, 'other')

  /** The value and all that share its memory; undefined where something reads it that wants f32, or nothing does. */
  const namesOf = (value: number, isRounded: boolean): number[] | undefined => {
    const names = [value]
    for (const how of reads.get(value) ?? ['other' as const]) {
      const fits = how === 'operand' || (isRounded && how === 'element')
      const more = fits ? [] : typeof how === 'string' ? undefined : namesOf(how.as, isRounded)
      if (!more) return undefined
      names.push(...more)
    }
    return names
  }
  return new Set(made.flatMap(({ value, isRounded }) => namesOf(value, isRounded) ?? []))
}
