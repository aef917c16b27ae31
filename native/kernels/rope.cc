#include "rope.h"

#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

typedef int64_t vl __attribute__((vector_size(kVectorBytes)));

// Sine and cosine in double: the quarter turns are taken off, the rest is a Taylor series on |r| <= pi/4.
LATHE_INLINE void sineCosine(vd angle, vd& sine, vd& cosine) {
  constexpr double kRound = 0x1.8p52;  // adding it rounds to a whole number in the low bits
  constexpr double kQuarterHi = 0x1.921fb5p+0, kQuarterLo = 0x1.110b4611a6263p-26;  // pi/2
  const vd shifted = angle * 0.63661977236758134308 + kRound, quarters = shifted - kRound;
  const vd r = (angle - quarters * kQuarterHi) - quarters * kQuarterLo, z = r * r;
  vd s = vd{} - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  s = r + r * z * s;
  vd c = vd{} - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = c * z - 0.5;
  c = 1.0 + z * c;
  const vl quarter = reinterpret_cast<vl>(shifted);
  const vl odd = -(quarter & 1);
  const vd a = odd ? c : s, b = odd ? s : c;
  sine = reinterpret_cast<vd>(reinterpret_cast<vl>(a) ^ ((quarter & 2) << 62));
  cosine = reinterpret_cast<vd>(reinterpret_cast<vl>(b) ^ (((quarter + 1) & 2) << 62));
}

}  // namespace

void ropeTable(float base, int64_t start, const int32_t* positions, int64_t rows, int64_t half, float* table, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const int64_t whole = roundUp(half, D);
  double* frequencies = scratch.array<double>(static_cast<size_t>(whole));
  for (int64_t i = 0; i < whole; ++i)
    frequencies[i] = i < half ? __builtin_pow(base, -static_cast<double>(i) / static_cast<double>(half)) : 0;
  for (int64_t r = 0; r < rows; ++r, table += 2 * half) {
    const auto position = static_cast<double>(positions ? positions[r] : start + r);
    for (int64_t i = 0; i < half; i += D) {
      vd sine, cosine;
      sineCosine(load<vd>(frequencies + i) * position, sine, cosine);
      for (int64_t lane = 0; lane < least(D, half - i); ++lane) {
        table[i + lane] = static_cast<float>(cosine[lane]);
        table[half + i + lane] = static_cast<float>(sine[lane]);
      }
    }
  }
}

namespace {

// Vectors of N values, for N up to W.
template <int N>
struct Narrow;
template <>
struct Narrow<1> {
  typedef float type;
};
template <>
struct Narrow<4> {
  typedef float type __attribute__((vector_size(16)));
};
template <>
struct Narrow<8> {
  typedef float type __attribute__((vector_size(32)));
};
template <>
struct Narrow<16> {
  typedef float type __attribute__((vector_size(64)));
};

// Turns pairs as many at a time as a power of 2 that divides half a head, 1 or from 4 up to N.
template <int N>
void turnRows(const float* table, int64_t rows, int64_t nHeads, int64_t half, InHeads<const float> x, InHeads<float> y,
              float direction) {
  if constexpr (N > 1)
    if (half % N) return turnRows<(N > 4 ? N / 2 : 1)>(table, rows, nHeads, half, x, y, direction);
  using V = typename Narrow<N>::type;
  for (int64_t r = 0; r < rows; ++r, table += 2 * half)
    for (int64_t i = 0; i < half; i += N) {
      const V c = load<V>(table + i), s = load<V>(table + half + i) * direction;
      const float* from = x.data + r * x.row + i;
      float* to = y.data + r * y.row + i;
      for (int64_t h = 0; h < nHeads; ++h, from += x.head, to += y.head) {
        const V a = load<V>(from), b = load<V>(from + half);
        store(to, a * c - b * s);
        store(to + half, a * s + b * c);
      }
    }
}

}  // namespace

void rotate(const float* table, int64_t rows, int64_t nHeads, int64_t dHead, InHeads<const float> x, InHeads<float> y,
            float direction) {
  turnRows<W>(table, rows, nHeads, dHead / 2, x, y, direction);
  if (dHead % 2 == 0) return;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < nHeads; ++h)
      y.data[r * y.row + h * y.head + dHead - 1] = x.data[r * x.row + h * x.head + dHead - 1];
}

void rope(const float* table, int64_t T, int64_t nHeads, int64_t dHead, float direction, const float* x, Output y,
          Scratch& scratch) {
  const int64_t width = nHeads * dHead;
  const InHeads<const float> from = {x, width, dHead};
  if (!y.halves) return rotate(table, T, nHeads, dHead, from, {static_cast<float*>(y.data), width, dHead}, direction);
  Scratch::Frame frame(scratch);
  float* row = scratch.array<float>(static_cast<size_t>(width));
  for (int64_t r = 0; r < T; ++r) {
    rotate(table + r * (dHead / 2 * 2), 1, nHeads, dHead, {x + r * width, width, dHead}, {row, width, dHead}, direction);
    round(width, row, static_cast<uint16_t*>(y.data) + r * width);
  }
}

}  // namespace lathe::LATHE_VARIANT
