// LayerNorm and RMSNorm: y = (x - mean) / sqrt(variance + eps) * gain + bias; RMSNorm takes the mean as 0.
#include "simd.h"
#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

struct Stats {
  float mean, rstd;
};

// f(i, n) for each vector of a row: n values from i on.
template <class F>
LATHE_INLINE void eachVector(int64_t cols, F f) {
  for (int64_t i = 0; i < cols; i += W) f(i, least(W, cols - i));
}

Stats statsOf(const Norm& s, const float* x) {
  const auto count = static_cast<float>(s.cols);
  vf total = {}, squares = {};
  if (s.center) eachVector(s.cols, [&](int64_t i, int64_t n) { total += loadUpTo(x + i, n); });
  const float mean = sum(total) / count;
  eachVector(s.cols, [&](int64_t i, int64_t n) {
    const vf d = firstLanes(loadUpTo(x + i, n) - mean, n);
    squares += d * d;
  });
  return {mean, 1.0f / __builtin_sqrtf(sum(squares) / count + s.eps)};
}

LATHE_INLINE vf gainAt(const Norm& s, int64_t i, int64_t n) { return s.gain ? loadUpTo(s.gain + i, n) : splat(1.0f); }

// out = total, or out += total.
void give(int64_t n, const float* total, float* out, bool accumulate) {
  if (!out) return;
  for (int64_t i = 0; i < n; ++i) out[i] = accumulate ? out[i] + total[i] : total[i];
}

}  // namespace

void norm(const Norm& s, Output y) {
  const auto into = [&](auto store) {
    for (int64_t r = 0; r < s.rows; ++r) {
      const float* x = s.x + r * s.cols;
      const Stats stats = statsOf(s, x);
      eachVector(s.cols, [&](int64_t i, int64_t n) {
        vf v = (loadUpTo(x + i, n) - stats.mean) * stats.rstd * gainAt(s, i, n);
        if (s.bias) v += loadUpTo(s.bias + i, n);
        store(r * s.cols + i, v, n);
      });
    }
  };
  if (y.halves) into([&](int64_t at, vf v, int64_t n) { storeHalves(static_cast<uint16_t*>(y.data) + at, v, n); });
  else into([&](int64_t at, vf v, int64_t n) { storeUpTo(static_cast<float*>(y.data) + at, v, n); });
}

// With u = (x - mean) * rstd and g = dy * gain: dx = rstd * (g - mean(g) - u * mean(g * u)); RMSNorm has no mean(g).
void normGrad(const Norm& s, const float* dy, const float* from, float* dx, float* dgain, float* dbias, bool accumulate,
              Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const auto count = static_cast<float>(s.cols);
  float* gainSum = scratch.array<float>(static_cast<size_t>(s.cols));
  float* biasSum = scratch.array<float>(static_cast<size_t>(s.cols));
  for (int64_t i = 0; i < s.cols; ++i) gainSum[i] = biasSum[i] = 0;

  for (int64_t r = 0; r < s.rows; ++r) {
    const float *x = s.x + r * s.cols, *up = dy + r * s.cols;
    float* down = dx + r * s.cols;
    const Stats stats = statsOf(s, x);
    const auto unit = [&](int64_t i, int64_t n) { return (loadUpTo(x + i, n) - stats.mean) * stats.rstd; };
    vf plain = {}, weighted = {};
    eachVector(s.cols, [&](int64_t i, int64_t n) {
      const vf d = loadUpTo(up + i, n), du = d * unit(i, n), gain = gainAt(s, i, n);
      plain += d * gain;
      weighted += du * gain;
      storeUpTo(gainSum + i, loadUpTo(gainSum + i, n) + du, n);
      storeUpTo(biasSum + i, loadUpTo(biasSum + i, n) + d, n);
    });
    const float meanPlain = s.center ? sum(plain) / count : 0.0f, meanWeighted = sum(weighted) / count;
    eachVector(s.cols, [&](int64_t i, int64_t n) {
      const vf g = loadUpTo(up + i, n) * gainAt(s, i, n);
      const vf d = (g - meanPlain - unit(i, n) * meanWeighted) * stats.rstd;
      storeUpTo(down + i, from ? loadUpTo(from + r * s.cols + i, n) + d : d, n);
    });
  }
  give(s.cols, gainSum, dgain, accumulate);
  give(s.cols, biasSum, dbias, accumulate);
}

}  // namespace lathe::LATHE_VARIANT
