// Elementary functions on vectors, a few units in the last place from the exact value. NaN gives NaN.
// Polynomials are Taylor or area-tangent series, unless said otherwise: the reduced arguments are small enough that a few
// terms do.
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

constexpr float kInfinity = __builtin_inff();
constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2 = 0x1.62e43p-1f;
constexpr float kLn2Hi = 0x1.62e4p-1f;        // 15 bits, so that its product with an exponent is exact
constexpr float kLn2Lo = 0x1.7f7d1cp-20f;     // ln 2 - kLn2Hi

// x with its value kept inside [lo, hi].
LATHE_INLINE vf clamp(vf x, float lo, float hi) {
  x = pick(x < lo, splat(lo), x);
  return pick(x > hi, splat(hi), x);
}

// n in -127..127; 2^-127 is taken as 0.
LATHE_INLINE vf powerOf2(vi n) { return fromBits((reinterpret_cast<vu>(n) + 127) << 23); }

// Adding it rounds to a whole number in the low bits.
constexpr float kToWhole = 0x1.8p23f;
LATHE_INLINE vi wholeOf(vf shifted) { return reinterpret_cast<vi>(unsignedBits(shifted) - 0x4b400000u); }

// x = n ln 2 + r with |r| <= ln 2 / 2; gives n and exp(r) - 1. |x| < 2^21.
struct Exponent {
  vi n;
  vf less1;
};
LATHE_INLINE Exponent splitExp(vf x) {
  const vf shifted = x * kLog2E + kToWhole;
  const vf whole = shifted - kToWhole;
  const vf r = (x - whole * kLn2Hi) - whole * kLn2Lo;
  vf p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  return {wholeOf(shifted), r + r * r * p};
}

LATHE_INLINE vf expOf(vf x) {
  const Exponent e = splitExp(clamp(x, -104.0f, 89.0f));
  const vi half = e.n >> 1;  // 2^n itself may be beyond the normal numbers
  return (e.less1 + 1.0f) * powerOf2(half) * powerOf2(e.n - half);
}

// 2^n exp(r) where |r| <= ln 2 / 2 and shifted is n + kToWhole: exp(r) is the polynomial 1 + ... of degree 5 with the least
// relative error, 9e-8 (found by reweighted least squares).
LATHE_INLINE vf scaledExp(vf shifted, vf r) {
  vf p = splat(0x1.0fa834p-7f);
  p = p * r + 0x1.573a54p-5f;
  p = p * r + 0x1.555a6ap-3f;
  p = p * r + 0x1.fffdc6p-2f;
  p = p * r + 0x1.fffff6p-1f;
  p = p * r + 1.0f;
  return p * powerOf2(wholeOf(shifted));
}

// exp for x <= 88 where results below the normal numbers may be 0: what softmax needs. Small results are less exact, by
// 6e-8 of |x|.
LATHE_INLINE vf expFlushed(vf x) {
  const vf y = larger(splat(-87.0f), x), shifted = y * kLog2E + kToWhole;
  return pick(x < -87.0f, vf{}, scaledExp(shifted, y - (shifted - kToWhole) * kLn2));
}

// log(2^k (1 + f)) with 1 + f in [1/sqrt 2, sqrt 2]: 2 artanh(f / (2 + f)), arranged so that f itself is added last.
LATHE_INLINE vf logSplit(vf k, vf f) {
  const vf s = f / (f + 2.0f), z = s * s, halfSquare = 0.5f * f * f;
  vf p = splat(2.0f / 11);
  p = p * z + 2.0f / 9;
  p = p * z + 2.0f / 7;
  p = p * z + 2.0f / 5;
  p = p * z + 2.0f / 3;
  return k * kLn2Hi - ((halfSquare - (s * (halfSquare + z * p) + k * kLn2Lo)) - f);
}

LATHE_INLINE vf logOf(vf x) {
  const vi tiny = x < 0x1p-126f;
  const vf normal = pick(tiny, x * 0x1p23f, x);
  constexpr uint32_t kRoot = 0x3f3504f3;  // the bits of 1/sqrt 2
  const vu fromRoot = unsignedBits(normal) - kRoot;
  const vi k = (reinterpret_cast<vi>(fromRoot) >> 23) - (tiny & 23);
  const vf mantissa = fromBits((fromRoot & 0x7fffffu) + kRoot);
  vf y = logSplit(__builtin_convertvector(k, vf), mantissa - 1.0f);
  y = pick(x == kInfinity, x, y);
  y = pick(x == 0.0f, splat(-kInfinity), y);
  return pick(x < 0.0f, splat(__builtin_nanf("")), pick(x != x, x, y));
}

// log(1 + y) for y in [0, 1].
LATHE_INLINE vf log1pOf(vf y) {
  const vf u = y + 1.0f, rounded = u - 1.0f;
  return pick(rounded == 0.0f, y, logOf(u) * (y / pick(rounded == 0.0f, u, rounded)));
}

LATHE_INLINE vf tanhOf(vf x) {
  const Exponent e = splitExp(2.0f * clamp(magnitude(x), 0.0f, 10.0f));
  const vf scale = powerOf2(e.n);
  const vf less1 = scale * e.less1 + (scale - 1.0f);  // exp(2|x|) - 1
  return pick(x != x, x, withSign(less1 / (less1 + 2.0f), x));
}

// 1 / (1 + exp(-x)) and 1 minus it, each without cancellation, and 0 where they are below the normal numbers.
struct Sigmoid {
  vf value, rest;
};
LATHE_INLINE Sigmoid sigmoidOf(vf x) {
  constexpr float kEnd = 88.0f;  // exp(88) is finite, and 2^n of exp(-88) is 0
  const vf y = clamp(-x, -kEnd, kEnd);
  const vf shifted = y * kLog2E + kToWhole;
  const vf whole = shifted - kToWhole;
  const vf e = scaledExp(shifted, (y - whole * kLn2Hi) - whole * kLn2Lo), value = 1.0f / (e + 1.0f);
  return {pick(x < -kEnd, vf{}, value), e * value};
}

}  // namespace lathe::LATHE_VARIANT
