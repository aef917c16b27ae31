import { LatheError } from '../settings/error.ts'

export type StoredDtype = 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8' | 'BOOL'

/** A tensor as a file holds it: row-major, little-endian, `data` exactly as long as shape and dtype say. */
export interface StoredTensor {
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Bytes of one element, by falling alignment: the order in which files are written. */
export const dtypeBytes: Readonly<Record<StoredDtype, number>> = {
  I64: 8,
  F32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U8: 1,
  BOOL: 1,
}

/** Float32 values as a tensor to be stored: a view, not a copy. */
export function fromFloat32(shape: readonly number[], values: Float32Array): StoredTensor {
  return { dtype: 'F32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }
}

/** Int32 values as a tensor to be stored: a view, not a copy. */
export function fromInt32(shape: readonly number[], values: Int32Array): StoredTensor {
  return { dtype: 'I32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }
}

/**
 * The values of an F32, F16 or BF16 tensor; every one of them is a float32, so this is exact to the bit, NaN payloads
 * included. F32 that lies aligned is a view of the tensor's bytes. Throws a LatheError for any other dtype.
 */
export function toFloat32(tensor: StoredTensor, name = 'tensor'): Float32Array {
  if (tensor.dtype === 'F32') return new Float32Array(...aligned(tensor.data, 4))
  if (tensor.dtype !== 'F16' && tensor.dtype !== 'BF16') {
    throw new LatheError(`${name} is ${tensor.dtype}: only F32, F16 and BF16 can be read as float32`)
  }
  const halves = new Uint16Array(...aligned(tensor.data, 2))
  const bits = new Uint32Array(halves.length)
  const widen = tensor.dtype === 'BF16' ? (half: number) => half << 16 : float16Bits
  for (let i = 0; i < halves.length; i++) bits[i] = widen(halves[i])
  return new Float32Array(bits.buffer)
}

/** The float32 bit pattern of a float16 one (IEEE 754: 1 sign, 5 exponent, 10 fraction bits). */
function float16Bits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  const lead = 31 - Math.clz32(fraction) // a subnormal half is a normal float
  return sign | ((lead + 103) << 23) | ((fraction << (23 - lead)) & 0x7fffff)
}

/**
 * The values of an I32, U8 or BOOL tensor, or of an I64 one whose values all fit. Aligned I32 is a view of the tensor's
 * bytes. Throws a LatheError for any other dtype and for an I64 value beyond 32 bits.
 */
export function toInt32(tensor: StoredTensor, name = 'tensor'): Int32Array {
  if (tensor.dtype === 'I32') return new Int32Array(...aligned(tensor.data, 4))
  if (tensor.dtype === 'U8' || tensor.dtype === 'BOOL') return Int32Array.from(tensor.data)
  if (tensor.dtype !== 'I64') {
    throw new LatheError(`${name} is ${tensor.dtype}: only I32, I64, U8 and BOOL can be read as int32`)
  }
  const wide = new BigInt64Array(...aligned(tensor.data, 8))
  const unfit = wide.findIndex((value) => BigInt.asIntN(32, value) !== value)
  if (unfit >= 0) throw new LatheError(`${name} holds ${wide[unfit]} at element ${unfit}, which is no 32-bit integer`)
  return Int32Array.from(wide, Number)
}

/** Buffer, offset and length for a typed array over `data`; a copy where the bytes do not lie on its alignment. */
function aligned(data: Uint8Array, bytes: number): [ArrayBuffer, number, number] {
  const { buffer, byteOffset } = data.byteOffset % bytes === 0 ? data : new Uint8Array(data)
  return [buffer as ArrayBuffer, byteOffset, data.byteLength / bytes]
}
