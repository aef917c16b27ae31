import type { Instruction, Program } from '../../compile/program.ts'
import { UseTable } from './uses.ts'

/** Kernels that can begin with another tensor and add to it: what their first output is, plus one more input. */
const beginWith: readonly string[] = ['matmul', 'normGrad']

/**
 * Makes one instruction of a sum and of a product, or a norm's gradient, that it alone reads: the other tensor becomes one
 * more input, which the kernel begins with. Saves a pass over three matrices.
 */
export function joinAddends(program: Program): Program {
  const uses = new UseTable(program)
  const shape = (value: number): string => program.values[value].shape.join()
  const parameters = new Set(program.parameters.map(({ value }) => value))

  const joinList = (list: readonly Instruction[]): Instruction[] => {
    const result: (Instruction | undefined)[] = list.map((instruction) => {
      const { block } = instruction
      return block ? { ...instruction, block: { ...block, instructions: joinList(block.instructions) } } : instruction
    })
    const madeAt = new Map(list.flatMap(({ outputs }, i) => outputs.map((value) => [value, i] as const)))
    const at = (value: number): number => madeAt.get(uses.resolve(value)) ?? -1

    /** Takes `sum = part + addend`, made at `i`, into what makes the part; says if it could. */
    const join = (part: number, addend: number, i: number): boolean => {
      const [sum] = list[i].outputs
      const { by, edge } = uses.of(part)
      const maker = list[madeAt.get(part) ?? i]
      if (by.length !== 1 || edge || maker.outputs[0] !== part || !beginWith.includes(maker.op)) return false
      if (shape(part) !== shape(sum) || shape(addend) !== shape(sum)) return false
      if (parameters.has(uses.resolve(addend))) return false // the rows of sequences side by side could not share it
      const early = at(addend) < at(part)
      if (!early && maker.outputs.length > 1) return false
      const joined = { ...maker, inputs: [...maker.inputs, addend], outputs: [sum, ...maker.outputs.slice(1)] }
      result[at(part)] = early ? joined : undefined
      result[i] = early ? undefined : joined
      return true
    }
    for (const [i, { op, inputs, outputs }] of list.entries()) {
      if (op !== 'add' || uses.of(outputs[0]).by.some((user) => user.op === 'accumulate')) continue
      const [first, last] = [...inputs].sort((a, b) => at(a) - at(b))
      if (!join(last, first, i)) join(first, last, i)
    }
    return result.filter((instruction) => instruction !== undefined)
  }
  return { ...program, instructions: joinList(program.instructions) }
}
