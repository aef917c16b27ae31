/** Element types. Everything that is learned is f32; i32 holds token ids, positions and counts. */
export type DType = 'f32' | 'i32'

/** Shape (sizes per axis, outermost first; `[]` is a scalar) and element type. */
export interface TensorType {
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** Values in row-major order, with their type. */
export interface Values extends TensorType {
  readonly data: Float32Array | Int32Array
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let n = 1
  for (const s of shape) n *= s
  return n
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((s, i) => s === b[i])
}

/** `f32[256, 64]`, as Programs print it. */
export function formatType({ shape, dtype }: TensorType): string {
  return `${dtype}[${shape.join(', ')}]`
}

/** Zeroed storage for a type. */
export function allocate({ shape, dtype }: TensorType): Values {
  const n = sizeOf(shape)
  return { shape, dtype, data: dtype === 'f32' ? new Float32Array(n) : new Int32Array(n) }
}
