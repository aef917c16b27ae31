import type { Block, Instruction, Program } from '../../compile/program.ts'

/** Who reads a value: instructions, and whether a loop's edge or the Program's surface does. */
interface Uses {
  readonly by: Instruction[]
  edge: boolean
}

/** Reads of every value, through reshapes, which share memory. */
export class UseTable {
  readonly aliases = new Map<number, number>()
  private readonly uses = new Map<number, Uses>()

  constructor(program: Program) {
    this.visit(program.instructions)
    for (const output of program.outputs) this.of(output.value).edge = true
  }

  resolve(value: number): number {
    const target = this.aliases.get(value)
    return target === undefined ? value : this.resolve(target)
  }

  of(value: number): Uses {
    const id = this.resolve(value)
    const known = this.uses.get(id)
    if (known) return known
    const fresh: Uses = { by: [], edge: false }
    this.uses.set(id, fresh)
    return fresh
  }

  private visit(instructions: readonly Instruction[]): void {
    for (const instruction of instructions) {
      const { op, inputs, outputs, block } = instruction
      if (op === 'reshape') {
        this.aliases.set(outputs[0], inputs[0])
        continue
      }
      for (const v of inputs) {
        const uses = this.of(v)
        if (block) uses.edge = true
        else uses.by.push(instruction)
      }
      if (block) this.visitBlock(block)
    }
  }

  private visitBlock({ instructions, next, collected }: Block): void {
    this.visit(instructions)
    for (const v of [...next, ...collected]) this.of(v).edge = true
  }
}
