// LayerNorm and RMSNorm: y = (x - mean) / sqrt(variance + eps) * gain + bias; RMSNorm takes the mean as 0.
#include "simd.h"
#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kRows = 4;  // at a time: sums of one row alone would wait for each other

// A whole vector, and the last lanes of a row, of which the rest is zero.
struct Whole {
  LATHE_MEMBER vf load(const float* p) const { return lathe::LATHE_VARIANT::load(p); }
  LATHE_MEMBER void store(float* p, vf v) const { lathe::LATHE_VARIANT::store(p, v); }
  LATHE_MEMBER void round(uint16_t* p, vf v) const { storeHalves(p, v, W); }
  LATHE_MEMBER vf only(vf v) const { return v; }
};
struct Part {
  int64_t n;
  LATHE_MEMBER vf load(const float* p) const { return loadPart(p, n); }
  LATHE_MEMBER void store(float* p, vf v) const { storePart(p, v, n); }
  LATHE_MEMBER void round(uint16_t* p, vf v) const { storeHalves(p, v, n); }
  LATHE_MEMBER vf only(vf v) const { return firstLanes(v, n); }
};

// f(i, lanes) for each vector of a row, from value i on.
template <class F>
LATHE_INLINE void eachVector(int64_t cols, F f) {
  int64_t i = 0;
  for (; i + W <= cols; i += W) f(i, Whole{});
  if (i < cols) f(i, Part{cols - i});
}

// f(row, n) for rows in blocks, n of them known to the compiler.
template <class F>
LATHE_INLINE void eachRows(int64_t rows, F f) {
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) f(r, std::integral_constant<int, kRows>{});
  for (; r < rows; ++r) f(r, std::integral_constant<int, 1>{});
}

template <bool center>
LATHE_INLINE vf centered(vf x, float mean) {
  if constexpr (center) return x - mean;
  else return x;
}

// Means of n rows, where the norm takes them.
template <bool center, int n>
LATHE_INLINE void meansOf(const Norm& s, const float* x, float (&means)[n]) {
  vf total[n] = {};
  if constexpr (center)
    eachVector(s.cols, [&](int64_t i, auto lanes) {
      for (int r = 0; r < n; ++r) total[r] += lanes.load(x + r * s.cols + i);
    });
  for (int r = 0; r < n; ++r) means[r] = center ? sum(total[r]) / static_cast<float>(s.cols) : 0.0f;
}

LATHE_INLINE float scaleOf(const Norm& s, vf squares) {
  return 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(s.cols) + s.eps);
}

template <bool center, class Store>
LATHE_INLINE void normRows(const Norm& s, Store store) {
  eachRows(s.rows, [&](int64_t row, auto block) {
    constexpr int n = block;
    const float* x = s.x + row * s.cols;
    const auto from = [&](int r, int64_t i, auto lanes, float mean) {
      return centered<center>(lanes.load(x + r * s.cols + i), mean);
    };
    float means[n], scales[n];
    meansOf<center>(s, x, means);
    vf squares[n] = {};
    eachVector(s.cols, [&](int64_t i, auto lanes) {
      for (int r = 0; r < n; ++r) {
        const vf d = lanes.only(from(r, i, lanes, means[r]));
        squares[r] += d * d;
      }
    });
    for (int r = 0; r < n; ++r) scales[r] = scaleOf(s, squares[r]);
    eachVector(s.cols, [&](int64_t i, auto lanes) {
      const vf gain = s.gain ? lanes.load(s.gain + i) : splat(1.0f), bias = s.bias ? lanes.load(s.bias + i) : vf{};
      for (int r = 0; r < n; ++r) store((row + r) * s.cols + i, from(r, i, lanes, means[r]) * scales[r] * gain + bias, lanes);
    });
  });
}

// With u = (x - mean) * scale and g = dy * gain: dx = scale * (g - mean(g) - u * mean(g * u)); RMSNorm has no mean(g). Row by
// row: what it reads comes from afar, and several rows at a time wait longer for it.
template <bool center>
void gradRows(const Norm& s, const float* dy, const float* from, float* dx, float* gainSum, float* biasSum) {
  const auto count = static_cast<float>(s.cols);
  const auto gainAt = [&](int64_t i, auto lanes) { return s.gain ? lanes.load(s.gain + i) : splat(1.0f); };
  for (int64_t r = 0; r < s.rows; ++r, dy += s.cols, dx += s.cols, from += from ? s.cols : 0) {
    const float* x = s.x + r * s.cols;
    float mean[1];
    meansOf<center>(s, x, mean);
    vf squares = {}, ofG = {}, ofGX = {};
    eachVector(s.cols, [&](int64_t i, auto lanes) {
      const vf d = lanes.only(centered<center>(lanes.load(x + i), mean[0])), g = lanes.load(dy + i) * gainAt(i, lanes);
      squares += d * d;
      if constexpr (center) ofG += g;
      ofGX += g * d;
    });
    const float scale = scaleOf(s, squares);
    const float plain = center ? sum(ofG) / count * scale : 0.0f, weighted = sum(ofGX) / count * scale * scale * scale;
    eachVector(s.cols, [&](int64_t i, auto lanes) {
      const vf d = centered<center>(lanes.load(x + i), mean[0]), y = lanes.load(dy + i);
      const vf down = centered<center>(y * gainAt(i, lanes) * scale - d * weighted, plain);
      lanes.store(dx + i, from ? lanes.load(from + i) + down : down);
      lanes.store(gainSum + i, lanes.load(gainSum + i) + y * (d * scale));
      if (biasSum) lanes.store(biasSum + i, lanes.load(biasSum + i) + y);
    });
  }
}

// out = total, or out += total.
void give(int64_t n, const float* total, float* out, bool accumulate) {
  if (!out) return;
  for (int64_t i = 0; i < n; ++i) out[i] = accumulate ? out[i] + total[i] : total[i];
}

}  // namespace

void norm(const Norm& s, Output y) {
  const auto into = [&](auto store) { s.center ? normRows<true>(s, store) : normRows<false>(s, store); };
  if (y.halves) into([&](int64_t at, vf v, auto lanes) { lanes.round(static_cast<uint16_t*>(y.data) + at, v); });
  else into([&](int64_t at, vf v, auto lanes) { lanes.store(static_cast<float*>(y.data) + at, v); });
}

void normGrad(const Norm& s, const float* dy, const float* from, float* dx, float* dgain, float* dbias, bool accumulate,
              Scratch& scratch) {
  Scratch::Frame frame(scratch);
  float* gainSum = scratch.array<float>(static_cast<size_t>(s.cols));
  float* biasSum = dbias ? scratch.array<float>(static_cast<size_t>(s.cols)) : nullptr;
  for (float* sums : {gainSum, biasSum})
    for (int64_t i = 0; sums && i < s.cols; ++i) sums[i] = 0;
  (s.center ? gradRows<true> : gradRows<false>)(s, dy, from, dx, gainSum, biasSum);
  give(s.cols, gainSum, dgain, accumulate);
  give(s.cols, biasSum, dbias, accumulate);
}

}  // namespace lathe::LATHE_VARIANT
