const f32 = new Float32Array(1)
const u32 = new Uint32Array(f32.buffer)

/** The nearest bfloat16 (ties to even), as a number. NaN stays NaN, overflow becomes infinity. */
export function roundToBf16(x: number): number {
  f32[0] = x
  if (Number.isNaN(x)) return x
  const bits = u32[0]
  u32[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000
  return f32[0]
}

/** A rounded copy of f32 values. */
export function bf16Copy(values: Float32Array): Float32Array {
  const out = new Float32Array(values)
  const bits = new Uint32Array(out.buffer)
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]
    if ((b & 0x7fffffff) > 0x7f800000) continue
    bits[i] = b + 0x7fff + ((b >>> 16) & 1)
    bits[i] &= 0xffff0000
  }
  return out
}
