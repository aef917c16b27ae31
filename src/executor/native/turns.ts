import type { Instruction, Program } from '../../compile/program.ts'
import type { Attributes } from '../../graph/graph.ts'
import { UseTable } from './uses.ts'

/** The gradient's outputs that are turned back, by the attribute that says so. */
const sides = ['turnsQ', 'turnsK'] as const

/**
 * Lets attention's gradient turn back, head by head, what a rope alone reads of it: the table of turns becomes one more input.
 * Saves a pass over two matrices, of which products then take the result as bf16.
 */
export function joinTurns(program: Program): Program {
  const uses = new UseTable(program)
  const joinList = (list: readonly Instruction[]): Instruction[] => {
    const joined = new Set<Instruction>()
    const gradient = (instruction: Instruction): Instruction => {
      const [inputs, outputs] = [[...instruction.inputs], [...instruction.outputs]]
      const attributes: Record<string, Attributes[string]> = { ...instruction.attributes }
      for (const [i, side] of sides.entries()) {
        const { by, edge } = uses.of(outputs[i])
        const [rope] = by
        if (edge || by.length !== 1 || rope.op !== 'rope' || !rope.attributes.back || !list.includes(rope)) continue
        if (rope.attributes.nHeads !== attributes.nHeads) continue
        joined.add(rope)
        inputs.push(rope.inputs[1])
        outputs[i] = rope.outputs[0]
        attributes[side] = true
      }
      return { ...instruction, inputs, outputs, attributes }
    }
    const result = list.map((instruction) => {
      const { op, block } = instruction
      if (block) return { ...instruction, block: { ...block, instructions: joinList(block.instructions) } }
      return op === 'attentionGrad' ? gradient(instruction) : instruction
    })
    return result.filter((_, i) => !joined.has(list[i]))
  }
  return { ...program, instructions: joinList(program.instructions) }
}
