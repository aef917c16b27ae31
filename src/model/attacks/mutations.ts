const tokens = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '-',
    '.',
    'e1',
    '0',
    '1',
    '99999999999999999999',
    '1e999',
    'null',
    'true',
  ],
  ...[
    '"F32"',
    '"F16"',
    '"F64"',
    '"shape"',
    ',"x":1',
    '"a":',
    '"__metadata__":{},',
    '\\u0061',
    '\\ud800',
    '\\n',
    'é',
    '😀',
  ],
].map((token) => Buffer.from(token))
const digits = Buffer.from('0123456789')
const spaces = Buffer.from(' \t\n\r')

/** xorshift32 (Marsaglia 2003), started by the finalizer of murmur3 over seed and index: numbers below n. */
function random(seed: number, index: number): (n: number) => number {
  let x = (seed + Math.imul(index, 0x9e3779b9)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  x = x ^ (x >>> 16) || 1
  return (n) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % n
  }
}

/**
 * A damaged copy of one of the valid files `bases`: one to three edits of header or body, and now and then a header
 * length that does not fit or a cut. `make.py` has its twin, which draws the same numbers in the same order.
 */
export function mutation(bases: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  const below = random(seed, index)
  const base = Buffer.from(bases[below(bases.length)])
  const split = 8 + base.readUInt32LE()
  let header: Uint8Array = base.subarray(8, split)
  let body: Uint8Array = base.subarray(split)
  for (let edits = 1 + below(3); edits > 0; edits--) {
    const kind = below(9)
    const at = below(header.length + 1)
    const amount = below(256)
    if (kind < 7) header = editHeader(header, kind, at, amount)
    else if (kind === 7) body = resize(body, Math.max(0, body.length + (amount % 9) - 4))
    else body = Buffer.concat([Buffer.alloc(Math.min(1, body.length), amount), body.subarray(1)])
  }
  const damage = below(16)
  const start = Buffer.alloc(8)
  start.writeBigInt64LE(BigInt(header.length + (damage === 0 ? below(65) - 32 : 0)))
  const whole = Buffer.concat([start, header, body])
  return damage === 1 ? whole.subarray(0, below(whole.length)) : whole
}

function editHeader(header: Uint8Array, kind: number, at: number, amount: number): Uint8Array {
  const splice = (where: number, remove: number, insert: Uint8Array) =>
    Buffer.concat([header.subarray(0, where), insert, header.subarray(where + remove)])
  if (kind === 0) return splice(at, 1, Buffer.of(amount))
  if (kind === 1)
    return splice(
      at,
      1,
      header.subarray(at, at + 1).map((byte) => byte ^ (1 << (amount % 8))),
    )
  if (kind === 2) return splice(at, 0, tokens[amount % tokens.length])
  if (kind === 3) return splice(at, 1 + (amount % 8), Buffer.of())
  if (kind === 4) return splice(at, 0, header.subarray(amount, amount + 16))
  if (kind === 6) return splice(at, 0, spaces.subarray(amount % 4, (amount % 4) + 1))
  let digit = at
  while (digit < header.length && !digits.includes(header[digit])) digit++
  return splice(digit, 1, digits.subarray(amount % 10, (amount % 10) + 1))
}

function resize(body: Uint8Array, size: number): Uint8Array {
  return Buffer.concat([body], size)
}
