// The vectors of one variant, on the compilers' vector extensions: one source for every instruction set.
// Everything here is static and in the variant's own namespace, so that the linker never mixes two variants' code.
#pragma once
#include <utility>

#include "../kernels.h"

#ifndef LATHE_VARIANT
#error "compile the kernels with -DLATHE_VARIANT=name"
#endif

#define LATHE_INLINE static inline __attribute__((always_inline))
#define LATHE_MEMBER __attribute__((always_inline))

namespace lathe::LATHE_VARIANT {

#if defined(__AVX512F__) || defined(LATHE_TILES)  // the row of a tile; emulated, compilers make it of smaller vectors
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int W = kVectorBytes / 4;  // lanes of 32 bits

typedef float vf __attribute__((vector_size(kVectorBytes)));
typedef int32_t vi __attribute__((vector_size(kVectorBytes)));
typedef uint32_t vu __attribute__((vector_size(kVectorBytes)));
typedef double vd __attribute__((vector_size(kVectorBytes)));
constexpr int D = W / 2;  // doubles in a vector

LATHE_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
LATHE_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
LATHE_INLINE int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
LATHE_INLINE int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

LATHE_INLINE vf splat(float x) { return x - vf{}; }
LATHE_INLINE vi splat(int32_t x) { return x - vi{}; }

template <class V = vf>
LATHE_INLINE V load(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
LATHE_INLINE void store(void* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// The first n lanes only, n in 0..W: never reads or writes beyond them.
template <class V = vf>
LATHE_INLINE V loadPart(const void* p, int64_t n, V rest = V{}) {
  V v = rest;
  __builtin_memcpy(&v, p, static_cast<size_t>(n) * 4);
  return v;
}
template <class V>
LATHE_INLINE void storePart(void* p, V v, int64_t n) {
  __builtin_memcpy(p, &v, static_cast<size_t>(n) * 4);
}

// n values from p on; lanes beyond them are zero. n may be any number.
LATHE_INLINE vf loadUpTo(const float* p, int64_t n) { return n >= W ? load(p) : n > 0 ? loadPart(p, n) : vf{}; }
LATHE_INLINE void storeUpTo(float* p, vf v, int64_t n) {
  if (n >= W) store(p, v);
  else if (n > 0) storePart(p, v, n);
}

LATHE_INLINE vi bits(vf x) { return reinterpret_cast<vi>(x); }
LATHE_INLINE vf fromBits(vi x) { return reinterpret_cast<vf>(x); }
LATHE_INLINE vu unsignedBits(vf x) { return reinterpret_cast<vu>(x); }
LATHE_INLINE vf fromBits(vu x) { return reinterpret_cast<vf>(x); }

LATHE_INLINE vf pick(vi mask, vf a, vf b) { return mask ? a : b; }
using Lanes = std::make_integer_sequence<int, W>;
template <int... i>
LATHE_INLINE vi laneNumbers(std::integer_sequence<int, i...>) {
  return vi{i...};
}
// The first n lanes of v; the rest's beyond.
LATHE_INLINE vf firstLanes(vf v, int64_t n, vf rest = vf{}) {
  return pick(laneNumbers(Lanes{}) < static_cast<int32_t>(n), v, rest);
}
LATHE_INLINE vf larger(vf a, vf b) { return pick(a > b, a, b); }
LATHE_INLINE vf magnitude(vf x) { return fromBits(bits(x) & 0x7fffffff); }
// The magnitude of x with the sign of s.
LATHE_INLINE vf withSign(vf x, vf s) { return fromBits((bits(x) & 0x7fffffff) | (bits(s) & ~0x7fffffff)); }

#if defined(__clang__)
#define LATHE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define LATHE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, vi{__VA_ARGS__})
#endif

// Lane i of the result is lane i ^ s of v.
template <int s, int... i>
LATHE_INLINE vf exchanged(vf v, std::integer_sequence<int, i...>) {
  return LATHE_SHUFFLE(v, v, (i ^ s)...);
}
// All lanes into one, by halves.
template <int half = W / 2, class F>
LATHE_INLINE float fold(vf v, F f) {
  v = f(v, exchanged<half>(v, Lanes{}));
  if constexpr (half > 1) return fold<half / 2>(v, f);
  else return v[0];
}
LATHE_INLINE float sum(vf v) {
  return fold(v, [](vf a, vf b) { return a + b; });
}
LATHE_INLINE float largest(vf v) {
  return fold(v, larger);
}

// y = f(x) over n values, in place or apart.
template <class F>
LATHE_INLINE void map(int64_t n, const float* x, float* y, F f) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(x + i)));
  if (i < n) storePart(y + i, f(loadPart(x + i, n - i)), n - i);
}

// The bits of x rounded to bf16 (nearest, ties to even; NaN stays NaN), in the upper half of each lane.
LATHE_INLINE vu roundedBits(vf x) {
  const vu u = unsignedBits(x);
  const vu r = u + 0x7fffu + ((u >> 16) & 1u);
  return (x != x ? (u | 0x400000u) : r) & 0xffff0000u;
}
LATHE_INLINE vf roundBf16(vf x) { return fromBits(roundedBits(x)); }

}  // namespace lathe::LATHE_VARIANT
