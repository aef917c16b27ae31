import type { Instruction, Program } from '../../compile/program.ts'
import { sizeOf } from '../../tensor/type.ts'
import { ElementwiseGroup } from './elementwise.ts'

/**
 * Elementwise instructions that make a single number go before all that they do not need, so that they do not cut a pass
 * over tensors in two.
 */
export function numbersFirst(program: Program): Program {
  const isNumber = (value: number): boolean => sizeOf(program.values[value].shape) === 1
  const sort = (list: readonly Instruction[]): Instruction[] => {
    const sorted: Instruction[] = []
    for (const instruction of list) {
      const { op, inputs, outputs, block } = instruction
      const moves = (op === 'reshape' || ElementwiseGroup.accepts(instruction)) && outputs.every(isNumber)
      const after = sorted.findLastIndex((earlier) => earlier.outputs.some((value) => inputs.includes(value)))
      const sortedBlock = block && { ...block, instructions: sort(block.instructions) }
      sorted.splice(moves ? after + 1 : sorted.length, 0, block ? { ...instruction, block: sortedBlock } : instruction)
    }
    return sorted
  }
  return { ...program, instructions: sort(program.instructions) }
}
