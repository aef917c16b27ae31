// Operands of a matrix product as 32-bit words along K: an f32, an f32 rounded to bf16, or a pair of bf16 values.
// A line is what runs along K: a row of A or a column of B. In memory a line of pairs is the bf16 values one by one.
#pragma once
#include "simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace lathe::LATHE_VARIANT {

struct Full {
  static constexpr int depth = 1;  // values of K in a word
  LATHE_INLINE vi across(vf x, vf) { return bits(x); }
  LATHE_INLINE vi along(vf x, vf) { return bits(x); }
  LATHE_INLINE vf values(const int32_t* line, int64_t k) { return load(line + k); }  // k, k + 1, … of a line
};

struct Rounded {
  static constexpr int depth = 1;
  LATHE_INLINE vi across(vf x, vf) { return bits(roundBf16(x)); }
  LATHE_INLINE vi along(vf x, vf) { return bits(roundBf16(x)); }
  LATHE_INLINE vf values(const int32_t* line, int64_t k) { return load(line + k); }
};

typedef uint16_t vh __attribute__((vector_size(kVectorBytes / 2)));
// n values from p on, n any number; lanes beyond them are zero.
LATHE_INLINE vh loadHalves(const uint16_t* p, int64_t n) {
  if (n >= W) return load<vh>(p);
  vh x = {};
  if (n > 0) __builtin_memcpy(&x, p, static_cast<size_t>(n) * 2);
  return x;
}
LATHE_INLINE vu widened(vh x) { return __builtin_convertvector(x, vu); }

struct Pairs {
  static constexpr int depth = 2;
  LATHE_INLINE vf values(const int32_t* line, int64_t k) {
    return fromBits(widened(load<vh>(reinterpret_cast<const uint16_t*>(line) + k)) << 16);
  }
#if defined(__AVX512BF16__)
  // The instruction makes 0 of what is below the normal numbers, as the products themselves do.
  LATHE_INLINE vi across(vf lo, vf hi) { return zip(along(lo, hi), Lanes{}); }
  LATHE_INLINE vi along(vf first, vf second) { return (vi)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }

 private:
  template <int... i>
  LATHE_INLINE vi zip(vi halves, std::integer_sequence<int, i...>) {
    return (vi)_mm512_permutexvar_epi16((__m512i)vi{(i | (W + i) << 16)...}, (__m512i)halves);
  }
#else
  // Lane i: the values of two rows of K.
  LATHE_INLINE vi across(vf lo, vf hi) {
    return reinterpret_cast<vi>((roundedBits(lo) >> 16) | roundedBits(hi));
  }
  // Lane i: the neighbours 2i and 2i + 1 of 2W values in a row.
  LATHE_INLINE vi along(vf first, vf second) { return unzip(first, second, Lanes{}); }

 private:
  template <int... i>
  LATHE_INLINE vi unzip(vf a, vf b, std::integer_sequence<int, i...>) {
    return across(LATHE_SHUFFLE(a, b, 2 * i...), LATHE_SHUFFLE(a, b, 2 * i + 1 ...));
  }
#endif
};

// What BF16 means here.
#if defined(LATHE_DOT_BF16) || defined(LATHE_TILES)
using Half = Pairs;
#else
using Half = Rounded;
#endif

// The first n values as bf16; n may be any number.
LATHE_INLINE void storeHalves(uint16_t* p, vf x, int64_t n) {
#if defined(__AVX512BF16__)
  const vh h = (vh)_mm512_cvtneps_pbh((__m512)x);
#else
  const vh h = __builtin_convertvector(roundedBits(x) >> 16, vh);
#endif
  if (n >= W) store(p, h);
  else if (n > 0) __builtin_memcpy(p, &h, static_cast<size_t>(n) * 2);
}

// y = x as bf16, n values.
LATHE_INLINE void round(int64_t n, const float* x, uint16_t* y) {
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) store(y + i, Pairs::along(load(x + i), load(x + i + W)));
  for (; i < n; i += W) storeHalves(y + i, loadUpTo(x + i, n - i), n - i);
}

// A line of words from n values, n a multiple of W: value(k) gives W of them from k on, and is asked once for each, in order.
// Filled up with zeros to `all`.
template <class Kind, class F>
LATHE_INLINE void storeLine(int64_t n, int64_t all, int32_t* line, F value) {
  constexpr int64_t d = Kind::depth;
  int64_t k = 0;
  for (; k + d * W <= n; k += d * W) {
    const vf first = value(k), second = d == 1 ? first : value(k + d * W - W);
    store(line + k / d, Kind::along(first, second));
  }
  for (; k < all; k += d * W) store(line + k / d, Kind::along(k < n ? value(k) : vf{}, vf{}));
}

// A side of a product in memory, as lines along K: `line` values from one to the next, `step` along one. across: W words of
// `lanes` lines from this one on, where lines are neighbours; along: W words of one line. Both begin at value k of K, of
// which kLeft are left; lanes and values beyond are zero.
template <class Of>
struct FloatSide {
  using Kind = Of;
  const float* data;
  int64_t line, step;

  LATHE_MEMBER int64_t lineWords() const { return line / Kind::depth; }
  LATHE_MEMBER vi across(int64_t l, int64_t k, int64_t kLeft, int64_t lanes) const {
    const float* p = data + l + k * step;
    const vf lo = kLeft > 0 ? loadUpTo(p, lanes) : vf{};
    if constexpr (Kind::depth == 1) return Kind::across(lo, lo);
    else return Kind::across(lo, kLeft > 1 ? loadUpTo(p + step, lanes) : vf{});
  }
  LATHE_MEMBER vi along(int64_t l, int64_t k, int64_t kLeft) const {
    constexpr int n = Kind::depth * W;
    const float* p = data + l * line + k * step;
    if (step != 1) {
      float gathered[n] = {};
      for (int64_t i = 0; i < least(n, kLeft); ++i) gathered[i] = p[i * step];
      return Kind::along(load(gathered), load(gathered + n - W));
    }
    if (kLeft >= n) return Kind::along(load(p), load(p + n - W));
    const vf first = loadUpTo(p, kLeft);
    if constexpr (Kind::depth == 1) return Kind::along(first, first);
    else return Kind::along(first, kLeft > W ? loadUpTo(p + W, kLeft - W) : vf{});
  }
};

// The same of halves, whose lines are neighbours or lie in one piece.
template <class Of>
struct HalfSide {
  using Kind = Of;
  const uint16_t* data;
  int64_t line, step;

  LATHE_MEMBER int64_t lineWords() const { return line / Kind::depth; }
  LATHE_MEMBER vi across(int64_t l, int64_t k, int64_t kLeft, int64_t lanes) const {
    const uint16_t* p = data + l + k * step;
    const vu lo = kLeft > 0 ? widened(loadHalves(p, lanes)) : vu{};
    if constexpr (Kind::depth == 1) return reinterpret_cast<vi>(lo << 16);
    else return reinterpret_cast<vi>(lo | (kLeft > 1 ? widened(loadHalves(p + step, lanes)) << 16 : vu{}));
  }
  LATHE_MEMBER vi along(int64_t l, int64_t k, int64_t) const {
    const uint16_t* p = data + l * line + k;
    if constexpr (Kind::depth == 1) return reinterpret_cast<vi>(widened(load<vh>(p)) << 16);
    else return load<vi>(p);
  }
};

// The same of words that are there already, `line` and `step` of them apart, of which one is 1.
template <class Of>
struct WordSide {
  using Kind = Of;
  const int32_t* data;
  int64_t line, step;

  LATHE_MEMBER int64_t lineWords() const { return line; }
  LATHE_MEMBER vi across(int64_t l, int64_t k, int64_t kLeft, int64_t lanes) const {
    const int32_t* p = data + l + k / Kind::depth * step;
    return kLeft <= 0 ? vi{} : lanes >= W ? load<vi>(p) : loadPart<vi>(p, lanes);
  }
  LATHE_MEMBER vi along(int64_t l, int64_t k, int64_t) const { return load<vi>(data + l * line + k / Kind::depth); }
};

template <int... i>
LATHE_INLINE void zipLines(vi a, vi b, vi& first, vi& second, std::integer_sequence<int, i...>) {
  const vi even = (a & 0xffff) | (b << 16);
  const vi odd = reinterpret_cast<vi>(reinterpret_cast<vu>(a) >> 16) | (b & ~0xffff);
  first = LATHE_SHUFFLE(even, odd, (i / 2 + i % 2 * W)...);
  second = LATHE_SHUFFLE(even, odd, (W / 2 + i / 2 + i % 2 * W)...);
}
// Of two lines' W words from one place on, pairs along each, the 2W pairs across them.
LATHE_INLINE void zipLines(vi a, vi b, vi& first, vi& second) { zipLines(a, b, first, second, Lanes{}); }

// f(the side whose lines and steps these are).
template <class Kind, class F>
LATHE_INLINE void withSide(const Strided& m, int64_t line, int64_t step, F f) {
  if (m.halves) f(HalfSide<Kind>{static_cast<const uint16_t*>(m.data), line, step});
  else f(FloatSide<Kind>{static_cast<const float*>(m.data), line, step});
}

template <int s, int... l>
LATHE_INLINE void swapBlocks(vi& a, vi& b, std::integer_sequence<int, l...>) {
  const vi upper = LATHE_SHUFFLE(a, b, ((l & s) ? W + l - s : l)...);
  b = LATHE_SHUFFLE(a, b, ((l & s) ? W + l : l + s)...);
  a = upper;
}

// W x W words, rows to columns: swap off-diagonal blocks of s = W/2, W/4, … 1.
template <int s = W / 2>
LATHE_INLINE void transpose(vi (&r)[W]) {
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i)
    if (!(i & s)) swapBlocks<s>(r[i], r[i + s], Lanes{});
  if constexpr (s > 1) transpose<s / 2>(r);
}

// B [K, N], its columns the lines, into panels of `width` columns, a multiple of W: [N / width][nWords][width]. What is
// missing is zero. Where rows lie in one piece they are read once, from end to end; else squares of words are turned.
template <int width, class Side>
__attribute__((noinline)) static void packPanels(const Side B, int64_t K, int64_t N, int64_t nWords, int32_t* packed) {
  constexpr int d = Side::Kind::depth;
  const int64_t all = roundUp(N, width);
  const auto at = [&](int64_t kw, int64_t n) { return packed + (n / width * nWords + kw) * width + n % width; };
  if (B.line == 1) {
    for (int64_t kw = 0; kw < nWords; ++kw)
      for (int64_t n = 0; n < all; n += W) store(at(kw, n), B.across(n, kw * d, K - kw * d, N - n));
    return;
  }
  for (int64_t n = 0; n < all; n += W)
    for (int64_t kw = 0; kw < nWords; kw += W) {
      vi r[W];
      for (int64_t j = 0; j < W; ++j) r[j] = n + j < N ? B.along(n + j, kw * d, K - kw * d) : vi{};
      transpose(r);
      for (int64_t k = 0; k < least(W, nWords - kw); ++k) store(at(kw + k, n), r[k]);
    }
}

}  // namespace lathe::LATHE_VARIANT
