import type { Block, Instruction, Program } from '../../compile/program.ts'
import { sizeOf, type TensorType } from '../../tensor/type.ts'
import type { Precision } from '../executor.ts'
import { joinAddends } from './addends.ts'
import { ElementwiseGroup, roundedProduct } from './elementwise.ts'
import { findHalves } from './halves.ts'
import { kernelStep, type Lowerer } from './kernels.ts'
import { numbersFirst } from './numbers.ts'
import type { KernelStep, LoopStep, Lowered, Pack, SliceOf, Step, Target } from './steps.ts'
import { joinTurns } from './turns.ts'
import { UseTable } from './uses.ts'

/** Kernels that can add to what they write, by op and output. */
const adding: Readonly<Record<string, readonly boolean[]>> = {
  matmul: [true],
  normGrad: [false, true, true],
  linearCrossEntropyGrad: [false, true],
  embedGrad: [true],
  putRow: [true],
  sumTo: [true],
}

/** Chooses native kernels for a Program: fuses elementwise runs, lets producers add straight into sums. */
export function lowerToSteps(program: Program, precision: Precision): Lowered {
  return new Lowering(numbersFirst(joinAddends(joinTurns(program))), precision).lower()
}

class Lowering implements Lowerer {
  readonly packs: Pack[] = []
  private readonly uses: UseTable
  private readonly constants = new Map<number, number>()
  private readonly slices = new Map<number, SliceOf>()
  /** Of the loop of each index. */
  private readonly depths = new Map<number, number>()
  private readonly outputs = new Map<number, number>()
  /** Values that one `accumulate` alone reads, in the list where they are made: they are added as they are made. */
  private readonly sumOf = new Map<number, number>()
  private readonly parameterOf: ReadonlyMap<number, number>

  /** The Program's values, and spare ones of the lowering's own. */
  private readonly values: TensorType[]
  private readonly inPlace = new Map<number, number>()
  private readonly halves: ReadonlySet<number>

  constructor(
    private readonly program: Program,
    precision: Precision,
  ) {
    this.values = [...program.values]
    this.uses = new UseTable(program)
    this.halves = precision === 'bf16' ? findHalves(program, this.uses) : new Set()
    this.parameterOf = new Map(program.parameters.map((p, i) => [p.value, i]))
  }

  lower(): Lowered {
    const { program } = this
    this.findSums(program.instructions)
    const late = this.placeOutputs()
    const steps = [...this.list(program.instructions, 0), ...late]
    const { values, packs, slices, outputs, inPlace, halves } = this
    return { steps, values, packs, aliases: this.uses.aliases, slices, outputs, inPlace, halves }
  }

  type = (value: number): TensorType => this.values[value]

  private fresh(type: TensorType): number {
    return this.values.push(type) - 1
  }

  resolve = (value: number): number => this.uses.resolve(value)

  shared = (value: number): boolean => {
    const id = this.resolve(value)
    const slice = this.slices.get(id)
    return slice ? this.shared(slice.stack) : this.parameterOf.has(id) || this.depths.has(id)
  }

  /** Where an instruction writes one of its outputs; nowhere when nobody reads it. */
  target = (value: number): Target => {
    const sum = this.sumOf.get(value)
    if (sum !== undefined) return { sum }
    const { by, edge } = this.uses.of(value)
    return by.length || edge ? { value } : undefined
  }

  /** The number of a packed parameter, or −1 when the value is no parameter and must be packed at each use. */
  pack = (value: number, K: number, N: number, rowStep: number, columnStep: number): number => {
    const parameter = this.parameterOf.get(this.resolve(value))
    if (parameter === undefined) return -1
    const pack: Pack = { parameter, K, N, rowStep, columnStep }
    const known = this.packs.findIndex((p) => JSON.stringify(p) === JSON.stringify(pack))
    return known >= 0 ? known : this.packs.push(pack) - 1
  }

  /** Root values that kernels write go straight to the caller's arrays; others are copied there at the end. */
  private placeOutputs(): KernelStep[] {
    const { program, uses } = this
    return program.outputs.flatMap(({ value }, i) => {
      const id = uses.resolve(value)
      const made = program.instructions.find(({ outputs }) => outputs.includes(id))
      const direct = made && made.op !== 'repeat' && made.op !== 'fill' && id === value && !this.outputs.has(id)
      if (direct) this.outputs.set(id, i)
      return direct ? [] : [this.copy(value, { value: this.outputCopy(i) })]
    })
  }

  private outputCopy(output: number): number {
    const id = this.fresh(this.program.outputs[output])
    this.outputs.set(id, output)
    return id
  }

  private findSums(instructions: readonly Instruction[]): void {
    for (const { op, inputs, attributes, block } of instructions) {
      if (block) this.findSums(block.instructions)
      if (op !== 'accumulate') continue
      const value = inputs[0]
      const { by, edge } = this.uses.of(value)
      const made = instructions.find(({ outputs }) => outputs.includes(value))
      if (!made || edge || by.length !== 1) continue
      const adds = ElementwiseGroup.accepts(made) || adding[made.op]?.[made.outputs.indexOf(value)]
      if (adds) this.sumOf.set(value, this.sumIndex(attributes.name as string))
    }
  }

  private sumIndex = (name: string): number => this.program.sums.findIndex((s) => s.name === name)

  private list(instructions: readonly Instruction[], depth: number): Step[] {
    const steps: Step[] = []
    let group: ElementwiseGroup | undefined
    const close = (): void => {
      if (!group) return
      steps.push(this.closed(group, steps))
      group = undefined
    }
    for (const instruction of instructions) {
      const { op, outputs, inputs, attributes, block } = instruction
      if (op === 'reshape') continue
      if (op === 'fill') {
        this.constants.set(outputs[0], attributes.value as number)
        if (this.needsMemory(outputs[0])) {
          close()
          steps.push(kernelStep(instruction, this))
        }
        continue
      }
      if (ElementwiseGroup.accepts(instruction)) {
        const { shape } = this.type(outputs[0])
        if (group && (group.full || !sameDomain(group.shape, shape))) close()
        group ??= new ElementwiseGroup(this.type, this.resolve, (v) => this.constants.get(v), this.shared, shape)
        group.members.push(instruction)
        continue
      }
      if (op === 'accumulate' && this.sumOf.has(inputs[0])) continue
      close()
      if (block) steps.push(...this.loop(instruction, block, depth))
      else if (op === 'accumulate') {
        const target = { sum: this.sumIndex(attributes.name as string) }
        steps.push(this.copy(inputs[0], target))
      } else if (op === 'append' && this.shareSlot(instruction)) {
        steps.push({ ...kernelStep(instruction, this), writes: [undefined] })
      } else if (op === 'matmul' && this.halves.has(outputs[0])) {
        steps.push(roundedProduct(kernelStep(instruction, this)))
      } else steps.push(kernelStep(instruction, this))
    }
    close()
    return steps
  }

  /**
   * Makes what an append returns the slot itself, not a copy, where nothing else writes to it in time: the state has no
   * other append, this one's slot is its loop's index or the only one, and no later iteration reads it. Says if it did.
   */
  private shareSlot({ inputs: [slots, slot], outputs: [view] }: Instruction): boolean {
    const depth = this.depths.get(slot)
    const isState = this.program.states.some(({ value }) => value === slots)
    if (!isState || this.uses.of(slots).by.length > 1 || this.uses.of(view).edge) return false
    if (this.type(slots).shape[0] === 1) this.uses.aliases.set(view, slots)
    else if (depth !== undefined) this.slices.set(view, { stack: slots, depth })
    else return false
    return true
  }

  /**
   * A group as a step; together with a product that it reads, which is taken off the steps and made now, where no step since
   * then minds: none reads the product, none writes to its operands' memory.
   */
  private closed(group: ElementwiseGroup, steps: Step[]): KernelStep {
    const inside = new Set(group.members)
    const target = (v: number) => this.groupTarget(v, inside)
    const memory = (v = -1) => this.resolve(this.inPlace.get(this.resolve(v)) ?? v)
    const reads = new Set(group.operands().map(memory))
    for (let i = steps.length - 1; i >= 0; i--) {
      const product = steps[i]
      if ('steps' in product) break
      const [made] = product.writes
      if (product.kernel !== 'matmul' || !made || 'sum' in made || !reads.has(memory(made.value))) continue
      const since = steps.slice(i + 1) as KernelStep[]
      const operands = new Set(product.reads.map(memory))
      const minds = since.some((step) => {
        const written = step.writes.some((w) => w && 'value' in w && operands.has(memory(w.value)))
        return written || step.reads.some((v) => memory(v) === memory(made.value))
      })
      const isKept = target(made.value) !== undefined
      const overwrites = (v: number) => operands.has(memory(v))
      const joined = minds ? undefined : group.after(product, made.value, { target, isKept, overwrites })
      if (!joined) continue
      steps.splice(i, 1)
      return joined
    }
    return group.step(target)
  }

  private groupTarget(value: number, inside: ReadonlySet<Instruction>): Target {
    const { by, edge } = this.uses.of(value)
    return edge || by.some((user) => !inside.has(user)) ? this.target(value) : undefined
  }

  private needsMemory(value: number): boolean {
    const { by, edge } = this.uses.of(value)
    return edge || by.some((user) => !ElementwiseGroup.accepts(user))
  }

  /** A loop: first carries are copied in; inside, slices are views; a collected value is made in its stack. */
  private loop({ inputs, outputs, attributes }: Instruction, block: Block, depth: number): Step[] {
    const { carry, next, scanned, collected, index } = block
    this.depths.set(index, depth)
    scanned.forEach((v, i) => {
      this.slices.set(v, { stack: inputs[carry.length + i], depth })
    })
    const [early, late]: [Step[], Step[]] = [[], []]
    collected.forEach((v, i) => {
      const stack = { stack: outputs[carry.length + i], depth }
      if (makerOf(v, block) && !this.slices.has(v)) {
        this.slices.set(v, stack)
        return
      }
      const slice = this.fresh(this.type(v))
      this.slices.set(slice, stack)
      const copies = carry.includes(this.resolve(v)) ? early : late
      copies.push(this.copy(v, { value: slice }))
    })
    this.writeInPlace(block)
    const body = this.list(block.instructions, depth + 1)
    const loop: LoopStep = {
      kernel: 'loop',
      count: attributes.count as number,
      reverse: attributes.reverse as boolean,
      runs: attributes.bounded ? inputs.at(-1) : undefined,
      index,
      steps: [...early, ...body, ...late, ...this.carryOver(carry, next)],
    }
    const into = carry.map((v, i) => this.copy(inputs[i], { value: v }))
    const zero = loop.runs === undefined ? [] : outputs.slice(carry.length).map((v) => this.zero(v))
    carry.forEach((v, i) => {
      this.uses.aliases.set(outputs[i], v)
    })
    return [...into, ...zero, loop]
  }

  /** A next carry is made in the carry's own memory when nothing reads the old one any more. */
  private writeInPlace({ instructions, carry, next }: Block): void {
    carry.forEach((to, i) => {
      const value = next[i]
      const at = instructions.findIndex(({ outputs }) => outputs.includes(value))
      const maker = instructions[at]
      if (!maker || maker.block || maker.op === 'fill' || maker.op === 'reshape') return
      if (this.slices.has(value) || next.indexOf(value) !== i || next.some((v) => this.resolve(v) === to)) return
      const last = instructions.findLastIndex((other) => this.reads(other, to))
      if (last < at || (last === at && ElementwiseGroup.accepts(maker))) this.inPlace.set(value, to)
    })
  }

  private reads({ inputs, block }: Instruction, value: number): boolean {
    return (
      inputs.some((v) => this.resolve(v) === value) ||
      !!block?.instructions.some((inner) => this.reads(inner, value)) ||
      !!block?.next.concat(block.collected).some((v) => this.resolve(v) === value)
    )
  }

  /** Copies what becomes the next carry; through a spare value where one carry becomes another. */
  private carryOver(carry: readonly number[], next: readonly number[]): Step[] {
    const all = carry.map((to, i) => ({ to, from: this.resolve(next[i]) }))
    const moves = all.filter(({ to, from }) => to !== from && this.inPlace.get(from) !== to)
    const crossing = moves.some(({ from }) => carry.includes(from))
    if (!crossing) return moves.map(({ to, from }) => this.copy(from, { value: to }))
    const spare = moves.map(({ from }) => this.fresh(this.type(from)))
    return [
      ...moves.map(({ from }, i) => this.copy(from, { value: spare[i] })),
      ...moves.map(({ to }, i) => this.copy(spare[i], { value: to })),
    ]
  }

  private copy(from: number, target: Target): KernelStep {
    const size = sizeOf(this.type(from).shape)
    const rows = this.shared(from) || (target && 'sum' in target) ? undefined : 1
    return { kernel: 'copy', reads: [from], writes: [target], integers: [1, size, size, size, 0, 0], reals: [], rows }
  }

  private zero(value: number): KernelStep {
    const size = sizeOf(this.type(value).shape)
    return { kernel: 'fill', reads: [], writes: [{ value }], integers: [size], reals: [0] }
  }
}

const sameDomain = (a: readonly number[], b: readonly number[]): boolean =>
  sizeOf(a) === sizeOf(b) && (a.at(-1) ?? 1) === (b.at(-1) ?? 1)

/** The instruction of a block that computes a value in memory of its own. */
const makerOf = (value: number, block: Block): Instruction | undefined =>
  block.instructions.find(
    ({ op, outputs }) => op !== 'repeat' && op !== 'fill' && op !== 'reshape' && outputs.includes(value),
  )
