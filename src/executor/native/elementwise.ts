import type { Instruction } from '../../compile/program.ts'
import { ops } from '../../ops/index.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf, type TensorType } from '../../tensor/type.ts'
import type { KernelStep, Target } from './steps.ts'

/** The codes of native/kernels.h; `copy` serves broadcasts. */
const elementwiseCodes = [
  'neg',
  'exp',
  'log',
  'sqrt',
  'reciprocal',
  'square',
  'abs',
  'relu',
  'step',
  'gelu',
  'geluDerivative',
  'sigmoid',
  'silu',
  'siluDerivative',
  'softplus',
  'tanh',
  'add',
  'sub',
  'mul',
  'div',
  'where',
  'broadcastTo',
]

const MAX_OPS = 20 // of up to three constants each: native/kernels/elementwise.cc has room for 64
const MAX_OPERANDS = 24

/** The code of an op. Throws a LatheError for one that native/kernels/elementwise.cc does not know. */
function codeOf(op: string): number {
  const code = elementwiseCodes.indexOf(op === 'stopGradient' ? 'broadcastTo' : op)
  if (code < 0)
    throw new LatheError(`the native executor has no elementwise kernel for ${op}: add one, or run on reference`)
  return code
}

/** The ops of an elementwise step, in order, from its integers (see `step` below). */
export function elementwiseOps(integers: readonly number[]): string[] {
  const at = 3 + 2 * integers[2]
  return Array.from({ length: integers[at] }, (_, i) => elementwiseCodes[integers[at + 1 + 5 * i]])
}

/** Elementwise instructions on one domain that run as one pass over memory: intermediate values stay in L1. */
export class ElementwiseGroup {
  readonly members: Instruction[] = []
  constructor(
    private readonly type: (value: number) => TensorType,
    private readonly resolve: (value: number) => number,
    private readonly constant: (value: number) => number | undefined,
    private readonly shared: (value: number) => boolean,
    readonly shape: readonly number[],
  ) {}

  static accepts({ op }: Instruction): boolean {
    return ops.get(op)?.elementwise === true
  }

  get full(): boolean {
    return this.members.length >= MAX_OPS || this.operands().length >= MAX_OPERANDS
  }

  /** Values from outside, in order of first use. A reshaped value keeps its own name: its shape says how it broadcasts. */
  operands(): number[] {
    const inside = new Set(this.members.flatMap((m) => m.outputs))
    const found = new Set<number>()
    for (const { inputs } of this.members)
      for (const v of inputs)
        if (!inside.has(this.resolve(v)) && this.constant(this.resolve(v)) === undefined) found.add(v)
    return [...found]
  }

  /**
   * The step: integers are rows, columns, operand steps and a code per op [code, target, a, b, c]. A register r ≥ 0 is
   * operand r, then member results; −1 − i is constant i.
   */
  step(target: (value: number) => Target): KernelStep {
    const operands = this.operands()
    const constants: number[] = []
    const register = new Map(operands.map((v, i) => [v, i]))
    const { rows, columns, steps, rowsAt } = this.domain(operands)
    const code: number[] = []
    const writes: Target[] = []
    const written: number[] = []
    for (const [i, { op, inputs, outputs }] of this.members.entries()) {
      const result = operands.length + i
      const refs = inputs.map((v) => {
        const value = this.constant(this.resolve(v))
        return value === undefined ? (register.get(v) ?? register.get(this.resolve(v))!) : -constants.push(value)
      })
      register.set(outputs[0], result)
      const where = target(outputs[0])
      written.push(where ? writes.push(where) - 1 : -1)
      code.push(codeOf(op), written[i], refs[0], refs[1] ?? 0, refs[2] ?? 0)
    }
    const integers = [rows, columns, operands.length, ...steps.flat(), this.members.length, ...code]
    const adds = writes.some((where) => where && 'sum' in where)
    return {
      kernel: 'elementwise',
      reads: operands,
      writes,
      integers,
      reals: constants,
      rows: adds ? undefined : rowsAt,
    }
  }

  /**
   * Rows and columns of the pass, each operand's step along both, and which of the two counts rows of sequences side by
   * side, if either can: one long row where nothing is broadcast along rows.
   */
  private domain(operands: readonly number[]) {
    const size = sizeOf(this.shape)
    const all = operands.map((v) => {
      const { shape } = this.type(v)
      return { size: sizeOf(shape), last: shape.at(-1) ?? 1, shared: this.shared(v) }
    })
    const columns = this.shape.at(-1) ?? 1
    const rows = size / columns
    const isLong = all.every((operand) => operand.size === size || operand.size === 1)
    const longStacks = all.every((operand) => operand.size === (operand.shared ? 1 : size))
    const rowsStack = all.every((operand) => operand.size / operand.last === (operand.shared ? 1 : rows))
    if (isLong && (longStacks || !rowsStack)) {
      const steps = all.map((operand) => [0, operand.size === 1 && (size > 1 || operand.shared) ? 0 : 1])
      return { rows: 1, columns: size, steps, rowsAt: longStacks ? 1 : undefined }
    }
    const steps = all.map(({ size, last, shared }) => [
      size / last === 1 && (rows > 1 || shared) ? 0 : last,
      last === 1 ? 0 : 1,
    ])
    return { rows, columns, steps, rowsAt: rowsStack ? 0 : undefined }
  }
}
