import type { Instruction } from '../../compile/program.ts'
import { ops } from '../../ops/index.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf, type TensorType } from '../../tensor/type.ts'
import type { KernelStep, Target } from './steps.ts'

/** The codes of native/kernels.h; `copy` serves broadcasts and what is only rounded, `derivative` is made by the op before it. */
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
  'sigmoid',
  'silu',
  'softplus',
  'tanh',
  'add',
  'sub',
  'mul',
  'div',
  'where',
  'copy',
  'derivative',
]

const MAX_OPS = 20 // of up to three constants or two results each: native/kernels/elementwise.cc has room for 64
const MAX_OPERANDS = 24

/** The code of an op. Throws a LatheError for one that native/kernels/elementwise.cc does not know. */
function codeOf(op: string): number {
  const code = elementwiseCodes.indexOf(op === 'stopGradient' || op === 'broadcastTo' ? 'copy' : op)
  if (code < 0)
    throw new LatheError(`the native executor has no elementwise kernel for ${op}: add one, or run on reference`)
  return code
}

/** The ops of a pass, in order, from its integers (see `pass` below), which begin at `from`. */
export function elementwiseOps(integers: readonly number[], from: number): string[] {
  const at = from + 1 + 2 * integers[from]
  return Array.from({ length: integers[at] }, (_, i) => elementwiseCodes[integers[at + 1 + 5 * i]])
}

/** A product that is written as bf16: a pass of nothing but a copy follows it. */
export function roundedProduct(product: KernelStep): KernelStep {
  const columns = product.integers[1]
  return {
    ...product,
    reads: [...product.reads, undefined, undefined],
    writes: [undefined, ...product.writes],
    integers: [...product.integers, 1, columns, 1, 1, codeOf('copy'), 0, 0, 0, 0],
  }
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

  /** A step of its own: integers are rows, columns and the pass. */
  step(target: (value: number) => Target): KernelStep {
    const operands = this.operands()
    const { rows, columns, steps, rowsAt } = this.domain(operands)
    const { writes, constants, integers } = this.pass(operands, steps, target)
    return {
      kernel: 'elementwise',
      reads: operands,
      writes,
      integers: [rows, columns, ...integers],
      reals: constants,
      rows: writes.some(isSum) ? undefined : rowsAt,
    }
  }

  /**
   * A product that makes the value `made`, and this pass over it, as one step; undefined where they are better two.
   * `isKept`: whether others read the value, too. `overwrites`: whether a value lies where an operand of the product does.
   */
  after(
    product: KernelStep,
    made: number,
    options: { target: (value: number) => Target; isKept: boolean; overwrites: (value: number) => boolean },
  ): KernelStep | undefined {
    const [a, b, addend, ...followed] = product.reads
    const all = this.operands()
    const own = all.filter((v) => this.resolve(v) === made)
    const [M, N] = product.integers
    if (followed.length > 0 || own.length !== 1 || this.shape.length !== 2) return undefined
    if (this.shape[0] !== M || this.shape[1] !== N) return undefined
    const operands = [own[0], ...all.filter((v) => v !== own[0])]
    const { steps, stacks } = this.matrixDomain(operands)
    const { writes, constants, integers } = this.pass(operands, steps, options.target)
    const overwrites = writes.some((w) => w && 'value' in w && options.overwrites(w.value))
    if (writes.some(isSum) || overwrites || (product.rows === 0 && !stacks)) return undefined
    return {
      kernel: 'matmul',
      reads: [a, b, addend, undefined, ...operands.slice(1)],
      writes: [options.isKept || addend !== undefined ? { value: made } : undefined, ...writes],
      integers: [...product.integers, ...integers],
      reals: constants,
      rows: product.rows,
    }
  }

  /**
   * Integers: operands and their steps, then a code per op [code, target, a, b, c]. A register r ≥ 0 is operand r, then
   * member results; −1 − i is constant i.
   */
  private pass(operands: readonly number[], steps: readonly number[][], target: (value: number) => Target) {
    const constants: number[] = []
    const register = new Map(operands.map((v, i) => [v, i]))
    const code: number[] = []
    const writes: Target[] = []
    let count = 0
    for (const { op, inputs, outputs } of this.members) {
      const refs = inputs.map((v) => {
        const value = this.constant(this.resolve(v))
        return value === undefined ? (register.get(v) ?? register.get(this.resolve(v))!) : -constants.push(value)
      })
      for (const [i, value] of outputs.entries()) {
        register.set(value, operands.length + count++)
        const where = target(value)
        const own = codeOf(i === 0 ? op : 'derivative')
        code.push(own, where ? writes.push(where) - 1 : -1, refs[0], refs[1] ?? 0, refs[2] ?? 0)
      }
    }
    const integers = [operands.length, ...steps.flat(), count, ...code]
    return { writes, constants, integers }
  }

  /**
   * Rows and columns of the pass, each operand's step along both, and which of the two counts rows of sequences side by
   * side, if either can: one long row where nothing is broadcast along rows.
   */
  private domain(operands: readonly number[]) {
    const all = this.sizes(operands)
    const size = sizeOf(this.shape)
    const isLong = all.every((operand) => operand.size === size || operand.size === 1)
    const longStacks = all.every((operand) => operand.size === (operand.shared ? 1 : size))
    const { rows, columns, steps, stacks } = this.matrixDomain(operands)
    if (!isLong || (!longStacks && stacks)) return { rows, columns, steps, rowsAt: stacks ? 0 : undefined }
    const longSteps = all.map((operand) => [0, operand.size === 1 && (size > 1 || operand.shared) ? 0 : 1])
    return { rows: 1, columns: size, steps: longSteps, rowsAt: longStacks ? 1 : undefined }
  }

  /** The same as a matrix, and whether its rows count those of sequences side by side. */
  private matrixDomain(operands: readonly number[]) {
    const all = this.sizes(operands)
    const columns = this.shape.at(-1) ?? 1
    const rows = sizeOf(this.shape) / columns
    const stacks = all.every((operand) => operand.size / operand.last === (operand.shared ? 1 : rows))
    const steps = all.map(({ size, last, shared }) => [
      size / last === 1 && (rows > 1 || shared) ? 0 : last,
      last === 1 ? 0 : 1,
    ])
    return { rows, columns, steps, stacks }
  }

  private sizes(operands: readonly number[]) {
    return operands.map((v) => {
      const { shape } = this.type(v)
      return { size: sizeOf(shape), last: shape.at(-1) ?? 1, shared: this.shared(v) }
    })
  }
}

const isSum = (target: Target): boolean => target !== undefined && 'sum' in target
