import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { fromFloat32, fromInt32, type StoredDtype, type StoredTensor, toFloat32, toInt32 } from './stored-tensor.ts'

function stored(dtype: StoredDtype, data: ArrayBufferView, shape: number[]): StoredTensor {
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}

/** A float16's value by the definition of the format, in float64. */
function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

describe('toFloat32', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i)

  it('gives every float16 its value', () => {
    const values = toFloat32(stored('F16', all, [65536]))
    for (let i = 0; i < 65536; i++)
      if (!Object.is(values[i], float16Value(i))) expect([i, values[i]]).toBe(float16Value(i))
    const bits = new Uint32Array(values.buffer)
    expect(bits[0xfd01]).toBe(0xffa02000) // a NaN keeps its sign and payload
  })

  it('gives every bfloat16 its bits', () => {
    const bits = new Uint32Array(toFloat32(stored('BF16', all, [65536])).buffer)
    expect(bits.every((word, i) => word === i * 65536)).toBe(true)
  })

  it('gives F32 as it is, as a view where it lies aligned', () => {
    const values = Float32Array.of(1.5, -0, Number.NaN, 1e-45)
    expect(toFloat32(fromFloat32([4], values)).buffer).toBe(values.buffer)
    const shifted = new Uint8Array(17)
    shifted.set(new Uint8Array(values.buffer), 1)
    expect(toFloat32({ dtype: 'F32', shape: [4], data: shifted.subarray(1) })).toEqual(values)
    const half = new Uint8Array([9, 0, 0x3c])
    expect(toFloat32({ dtype: 'F16', shape: [1], data: half.subarray(1) })).toEqual(Float32Array.of(1))
  })

  it.each(['I64', 'I32', 'U8', 'BOOL'] as const)('refuses %s', (dtype) => {
    const tensor = stored(dtype, new Uint8Array(8), [8])
    expect(() => toFloat32(tensor, 'w')).toThrow(
      new LatheError(`w is ${dtype}: only F32, F16 and BF16 can be read as float32`),
    )
  })
})

describe('toInt32', () => {
  it('reads I32, I64, U8 and BOOL', () => {
    const values = Int32Array.of(-7, 2 ** 31 - 1)
    expect(toInt32(fromInt32([2], values)).buffer).toBe(values.buffer)
    expect(toInt32(stored('I64', BigInt64Array.of(-1n, -(2n ** 31n)), [2]))).toEqual(Int32Array.of(-1, -(2 ** 31)))
    expect(toInt32(stored('U8', Uint8Array.of(255, 0), [2]))).toEqual(Int32Array.of(255, 0))
    expect(toInt32(stored('BOOL', Uint8Array.of(1, 0), [2]))).toEqual(Int32Array.of(1, 0))
  })

  it('refuses an I64 beyond 32 bits, by its place', () => {
    expect(() => toInt32(stored('I64', BigInt64Array.of(0n, 2n ** 31n), [2]), 'tokens')).toThrow(
      'tokens holds 2147483648 at element 1, which is no 32-bit integer',
    )
  })

  it.each(['F32', 'F16', 'BF16'] as const)('refuses %s', (dtype) => {
    expect(() => toInt32(stored(dtype, new Uint8Array(8), [2]))).toThrow(LatheError)
  })
})
