import type { Instruction, Program } from '../../compile/program.ts'
import { type KernelContext, ops } from '../../ops/index.ts'
import { allocate, sizeOf, type Values } from '../../tensor/type.ts'
import type { Numbers } from '../executor.ts'

/** Carries out a list of instructions for one sequence; `environment` holds each value by number. */
export class Interpreter {
  constructor(
    private readonly program: Program,
    private readonly context: KernelContext,
    private readonly sums: ReadonlyMap<string, Numbers>,
    readonly environment: Values[],
  ) {}

  run(instructions: readonly Instruction[]): void {
    for (const instruction of instructions) {
      if (instruction.op === 'repeat') this.repeat(instruction)
      else if (instruction.op === 'accumulate') this.accumulate(instruction)
      else this.apply(instruction)
    }
  }

  private apply({ op, inputs, outputs, attributes }: Instruction): void {
    const results = outputs.map((v) => allocate(this.program.values[v]))
    ops.get(op)!.kernel(
      inputs.map((v) => this.environment[v]),
      results,
      attributes,
      this.context,
    )
    outputs.forEach((v, i) => {
      this.environment[v] = results[i]
    })
  }

  private accumulate({ inputs, attributes }: Instruction): void {
    const sum = this.sums.get(attributes.name as string)!
    const { data } = this.environment[inputs[0]]
    for (let i = 0; i < data.length; i++) sum[i] += data[i]
  }

  private repeat({ inputs, outputs, attributes, block }: Instruction): void {
    const { environment, program } = this
    const { index, carry, next, scanned, collected, instructions } = block!
    const count = attributes.count as number
    const runs = attributes.bounded ? Math.min(environment[inputs.at(-1)!].data[0], count) : count
    const stacks = outputs.slice(carry.length).map((v) => allocate(program.values[v]))
    let carried = inputs.slice(0, carry.length).map((v) => environment[v])
    for (let n = 0; n < runs; n++) {
      const i = attributes.reverse ? runs - 1 - n : n
      environment[index] = { shape: [], dtype: 'i32', data: Int32Array.of(i) }
      carry.forEach((v, k) => {
        environment[v] = carried[k]
      })
      scanned.forEach((v, k) => {
        environment[v] = sliceOf(environment[inputs[carry.length + k]], i)
      })
      this.run(instructions)
      carried = next.map((v) => environment[v])
      collected.forEach((v, k) => {
        stacks[k].data.set(environment[v].data, i * sizeOf(environment[v].shape))
      })
    }
    outputs.forEach((v, k) => {
      environment[v] = k < carry.length ? carried[k] : stacks[k - carry.length]
    })
  }
}

function sliceOf(stack: Values, i: number): Values {
  const shape = stack.shape.slice(1)
  const n = sizeOf(shape)
  return { shape, dtype: stack.dtype, data: stack.data.subarray(i * n, (i + 1) * n) }
}
