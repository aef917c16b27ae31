import { type Attributes, addNode, type Tensor } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, type TensorType, type Values } from '../tensor/type.ts'

/** What a reference kernel may ask of its executor. */
export interface KernelContext {
  /** The operand of a matrix product as the precision rounds it. */
  operand(data: Float32Array | Int32Array): Float32Array
}

/** One op of the closed set. Its file is its whole room. */
export interface Op {
  readonly name: string
  /** Output types for input types. Throws `LatheError` where shapes do not fit. */
  infer(inputs: readonly TensorType[], attributes: Attributes): TensorType[]
  /** Vector-Jacobian product as more graph: a cotangent per output in (undefined: zero), one per input out. */
  vjp?(node: {
    readonly inputs: readonly Tensor[]
    readonly outputs: readonly Tensor[]
    readonly attributes: Attributes
    readonly cotangents: readonly (Tensor | undefined)[]
  }): (Tensor | undefined)[]
  /** Each element of the output depends on one element (after broadcast) of each input: executors may fuse it. */
  readonly elementwise?: boolean
  /** Forward FLOPs: matrix products only, causal attention half. */
  flops?(inputs: readonly TensorType[], attributes: Attributes): number
  /** Plain TypeScript: f32 values, f64 sums. Outputs come zeroed. */
  kernel(inputs: readonly Values[], outputs: readonly Values[], attributes: Attributes, context: KernelContext): void
}

/** Applies an op to symbolic tensors. */
export function apply(op: Op, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor[] {
  return addNode(op.name, inputs, op.infer(inputs, attributes), attributes).outputs
}

/** The one-line error of a shape that does not fit. */
export function shapeError(op: string, inputs: readonly TensorType[], wanted: string): LatheError {
  return new LatheError(`${op} got ${inputs.map(formatType).join(' and ') || 'nothing'}; it takes ${wanted}`)
}

/** Demands f32 matrices `[rows, columns]`. */
export function expectMatrices(op: string, inputs: readonly TensorType[]): void {
  if (inputs.some((t) => t.shape.length !== 2 || t.dtype !== 'f32')) throw shapeError(op, inputs, 'f32 matrices')
}
