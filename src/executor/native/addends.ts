import type { Instruction, Program } from '../../compile/program.ts'
import { UseTable } from './uses.ts'

/**
 * Makes one instruction of a product and the sum that it alone goes into: `matmul` with a third input, which the kernel
 * begins with. Saves a pass over three matrices.
 */
export function joinAddends(program: Program): Program {
  const uses = new UseTable(program)
  const shape = (value: number): string => program.values[value].shape.join()

  const joinList = (list: readonly Instruction[]): Instruction[] => {
    const madeAt = new Map(list.flatMap(({ op, outputs }, i) => (op === 'matmul' ? [[outputs[0], i]] : [])))
    const joined = new Map<number, Instruction>()
    const gone = new Set<number>()
    /** Where the product is made that an `add` can take in, or −1. */
    const productOf = (product: number, addend: number, sum: number): number => {
      const { by, edge } = uses.of(product)
      const alone = by.length === 1 && !edge && product !== addend
      const alike = shape(product) === shape(sum) && shape(addend) === shape(sum)
      return alone && alike ? (madeAt.get(product) ?? -1) : -1
    }
    for (const [i, { op, inputs, outputs }] of list.entries()) {
      if (op !== 'add' || uses.of(outputs[0]).by.some((user) => user.op === 'accumulate')) continue
      const [a, b] = inputs
      const [ofA, ofB] = [productOf(a, b, outputs[0]), productOf(b, a, outputs[0])]
      const at = Math.max(ofA, ofB)
      if (at < 0) continue
      gone.add(at)
      const product = list[at]
      joined.set(i, { ...product, inputs: [...product.inputs, at === ofA ? b : a], outputs })
    }
    return list.flatMap((instruction, i) => {
      if (gone.has(i)) return []
      const { block } = instruction
      return [
        joined.get(i) ??
          (block ? { ...instruction, block: { ...block, instructions: joinList(block.instructions) } } : instruction),
      ]
    })
  }
  return { ...program, instructions: joinList(program.instructions) }
}
