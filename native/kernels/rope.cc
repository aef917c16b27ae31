#include "rope.h"

#include "variant.h"

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

Rope makeRope(float base, int64_t dHead, int64_t rows, const int32_t* positions, Scratch& scratch) {
  Rope rope;
  rope.half = dHead / 2;
  rope.pitch = roundUp(rope.half, D);
  const auto pitch = static_cast<size_t>(rope.pitch), count = static_cast<size_t>(rows) * pitch;
  double* frequencies = scratch.array<double>(pitch);
  rope.cosines = scratch.array<float>(count);
  rope.sines = scratch.array<float>(count);
  for (int64_t i = 0; i < rope.pitch; ++i)
    frequencies[i] = i < rope.half ? __builtin_pow(base, -static_cast<double>(i) / static_cast<double>(rope.half)) : 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto position = static_cast<double>(positions ? positions[r] : r);
    for (int64_t i = 0; i < rope.pitch; i += D) {
      vd sine, cosine;
      sineCosine(load<vd>(frequencies + i) * position, sine, cosine);
      for (int lane = 0; lane < D; ++lane) {
        rope.sines[r * rope.pitch + i + lane] = static_cast<float>(sine[lane]);
        rope.cosines[r * rope.pitch + i + lane] = static_cast<float>(cosine[lane]);
      }
    }
  }
  return rope;
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
void turnRows(const Rope& rope, int64_t row0, int64_t rows, int64_t nHeads, InHeads<const float> x, InHeads<float> y,
              float direction) {
  if constexpr (N > 1)
    if (rope.half % N) return turnRows<(N > 4 ? N / 2 : 1)>(rope, row0, rows, nHeads, x, y, direction);
  using V = typename Narrow<N>::type;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = x.data + r * x.row;
    float* to = y.data + r * y.row;
    const int64_t table = (row0 + r) * rope.pitch;
    for (int64_t h = 0; h < nHeads; ++h, from += x.head, to += y.head)
      for (int64_t i = 0; i < rope.half; i += N) {
        const V c = load<V>(rope.cosines + table + i), s = load<V>(rope.sines + table + i) * direction;
        const V a = load<V>(from + i), b = load<V>(from + rope.half + i);
        store(to + i, a * c - b * s);
        store(to + rope.half + i, a * s + b * c);
      }
  }
}

}  // namespace

void rotate(const Rope& rope, int64_t row0, int64_t rows, int64_t nHeads, int64_t dHead, InHeads<const float> x,
            InHeads<float> y, float direction) {
  turnRows<W>(rope, row0, rows, nHeads, x, y, direction);
  if (dHead % 2 == 0) return;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < nHeads; ++h)
      y.data[r * y.row + h * y.head + dHead - 1] = x.data[r * x.row + h * x.head + dHead - 1];
}

void rope(float base, int64_t start, int64_t T, int64_t nHeads, int64_t dHead, float direction, const float* x, float* y,
          Scratch& scratch) {
  Scratch::Frame frame(scratch);
  auto* positions = scratch.array<int32_t>(static_cast<size_t>(T));
  for (int64_t t = 0; t < T; ++t) positions[t] = static_cast<int32_t>(start + t);
  const Rope turns = makeRope(base, dHead, T, positions, scratch);
  rotate(turns, 0, T, nHeads, dHead, {x, nHeads * dHead, dHead}, {y, nHeads * dHead, dHead}, direction);
}

}  // namespace lathe::LATHE_VARIANT
