import type { Binding, Block, Instruction, Program } from './program.ts'

const effects = new Set(['accumulate', 'append'])

const hasEffect = ({ op, block }: Instruction): boolean => effects.has(op) || !!block?.instructions.some(hasEffect)

/** Keeps what the live values need, last instruction first; `live` grows on the way. */
function pruneList(instructions: readonly Instruction[], live: Set<number>): Instruction[] {
  const kept: Instruction[] = []
  for (const instruction of [...instructions].reverse()) {
    if (!hasEffect(instruction) && !instruction.outputs.some((v) => live.has(v))) continue
    const lean = instruction.block ? pruneRepeat(instruction, instruction.block, live) : instruction
    for (const v of lean.inputs) live.add(v)
    kept.push(lean)
  }
  return kept.reverse()
}

/** Drops stacks and carries that nobody reads, in the loop or after it, and slices that the body does not. */
function pruneRepeat(instruction: Instruction, block: Block, live: Set<number>): Instruction {
  const nCarry = block.carry.length
  const stacks = block.collected.map((_, i) => i).filter((i) => live.has(instruction.outputs[nCarry + i]))
  const collected = stacks.map((i) => block.collected[i])
  for (const v of collected) live.add(v)
  const { instructions, carries } = pruneBody(instruction, block, live)
  const slices = block.scanned.map((_, i) => i).filter((i) => live.has(block.scanned[i]))
  const inputs = [
    ...carries.map((i) => instruction.inputs[i]),
    ...slices.map((i) => instruction.inputs[nCarry + i]),
    ...instruction.inputs.slice(nCarry + block.scanned.length),
  ]
  return {
    ...instruction,
    inputs,
    outputs: [...carries, ...stacks.map((i) => nCarry + i)].map((i) => instruction.outputs[i]),
    block: {
      ...block,
      carry: carries.map((i) => block.carry[i]),
      next: carries.map((i) => block.next[i]),
      collected,
      instructions,
      scanned: slices.map((i) => block.scanned[i]),
    },
  }
}

/** What is left of a body, and which carries are needed: a carry that one iteration needs, the one before must make. */
function pruneBody({ outputs }: Instruction, block: Block, live: Set<number>) {
  const needed = new Set<number>()
  for (;;) {
    const instructions = pruneList(block.instructions, live)
    const more = block.carry.flatMap((v, i) => (!needed.has(i) && (live.has(outputs[i]) || live.has(v)) ? [i] : []))
    if (more.length === 0) return { instructions, carries: [...needed].sort((a, b) => a - b) }
    for (const i of more) {
      needed.add(i)
      live.add(block.next[i])
    }
  }
}

/** Numbers the values that are left in order of appearance. */
function renumber(program: Program): Program {
  const values: Program['values'][number][] = []
  const names = new Map<number, number>()
  const at = (v: number): number => {
    if (!names.has(v)) {
      names.set(v, values.length)
      values.push(program.values[v])
    }
    return names.get(v)!
  }
  const bind = (bindings: readonly Binding[]) => bindings.map((b) => ({ ...b, value: at(b.value) }))
  const visit = (i: Instruction): Instruction => {
    const inputs = i.inputs.map(at)
    const block = i.block && visitBlock(i.block)
    return { ...i, inputs, outputs: i.outputs.map(at), ...(block && { block }) }
  }
  const visitBlock = (b: Block): Block => ({
    index: at(b.index),
    carry: b.carry.map(at),
    scanned: b.scanned.map(at),
    instructions: b.instructions.map(visit),
    next: b.next.map(at),
    collected: b.collected.map(at),
  })
  return {
    ...program,
    parameters: bind(program.parameters),
    inputs: bind(program.inputs),
    states: bind(program.states),
    instructions: program.instructions.map(visit),
    outputs: bind(program.outputs),
    values,
  }
}

/** Drops every instruction and every source that no output, sum or state needs. */
export function prune(program: Program): Program {
  const live = new Set(program.outputs.map((o) => o.value))
  const instructions = pruneList(program.instructions, live)
  const used = (bindings: readonly Binding[]) => bindings.filter((b) => live.has(b.value))
  return renumber({
    ...program,
    instructions,
    parameters: used(program.parameters),
    inputs: used(program.inputs),
    states: used(program.states),
  })
}
