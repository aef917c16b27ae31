#include "math.h"
#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

// GELU in its tanh form is x * sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3).
constexpr float kTwiceRoot = 1.5957691216057308f;  // 2 sqrt(2/pi)
constexpr float kCubic = 0.044715f;

LATHE_INLINE vf twiceU(vf x) { return kTwiceRoot * x * (1.0f + kCubic * (x * x)); }

LATHE_INLINE vf gelu(vf x) { return x * sigmoidOf(twiceU(x)).value; }
LATHE_INLINE vf silu(vf x) { return x * sigmoidOf(x).value; }

// A function, with the same bits as alone, and its derivative. Far out, where both have reached their ends, x counts as the
// bound: no square overflows.
struct WithSlope {
  vf value, slope;
};
LATHE_INLINE WithSlope geluWithSlope(vf x) {
  const vf z = clamp(x, -16.0f, 16.0f);
  const Sigmoid s = sigmoidOf(twiceU(z));
  return {x * s.value, s.value + z * s.value * s.rest * (kTwiceRoot + 3.0f * kTwiceRoot * kCubic * (z * z))};
}
LATHE_INLINE WithSlope siluWithSlope(vf x) {
  const vf z = clamp(x, -120.0f, 120.0f);
  const Sigmoid s = sigmoidOf(z);
  return {x * s.value, s.value + z * s.value * s.rest};
}

template <class F>
void mapBoth(int64_t n, const float* x, float* y, Output slope, F f) {
  const auto all = [&](auto put) {
    int64_t i = 0;
    const auto give = [&](WithSlope v, int64_t lanes) { storeUpTo(y + i, v.value, lanes), put(i, v.slope, lanes); };
    for (; i + W <= n; i += W) give(f(load(x + i)), W);
    if (i < n) give(f(loadPart(x + i, n - i)), n - i);
  };
  if (slope.halves) all([&](int64_t i, vf v, int64_t lanes) { storeHalves(static_cast<uint16_t*>(slope.data) + i, v, lanes); });
  else all([&](int64_t i, vf v, int64_t lanes) { storeUpTo(static_cast<float*>(slope.data) + i, v, lanes); });
}

LATHE_INLINE vf softplus(vf x) { return pick(x < 0.0f, vf{}, x) + log1pOf(expOf(-magnitude(x))); }

LATHE_INLINE vf step(vf x) { return pick(x > 0.0f, splat(1.0f), pick(x != x, x, vf{})); }

void squareRoots(int64_t n, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = __builtin_sqrtf(x[i]);
}

}  // namespace

void unary(int32_t kind, int64_t n, const float* x, float* y, Output slope) {
  if (slope.data && kind == kGelu) return mapBoth(n, x, y, slope, [](vf v) { return geluWithSlope(v); });
  if (slope.data) return mapBoth(n, x, y, slope, [](vf v) { return siluWithSlope(v); });
  switch (kind) {
    case kNeg: return map(n, x, y, [](vf v) { return -v; });
    case kExp: return map(n, x, y, [](vf v) { return expOf(v); });
    case kLog: return map(n, x, y, [](vf v) { return logOf(v); });
    case kSqrt: return squareRoots(n, x, y);
    case kReciprocal: return map(n, x, y, [](vf v) { return 1.0f / v; });
    case kSquare: return map(n, x, y, [](vf v) { return v * v; });
    case kAbs: return map(n, x, y, [](vf v) { return magnitude(v); });
    case kRelu: return map(n, x, y, [](vf v) { return pick(v <= 0.0f, vf{}, v); });
    case kStep: return map(n, x, y, [](vf v) { return step(v); });
    case kGelu: return map(n, x, y, [](vf v) { return gelu(v); });
    case kSigmoid: return map(n, x, y, [](vf v) { return sigmoidOf(v).value; });
    case kSilu: return map(n, x, y, [](vf v) { return silu(v); });
    case kSoftplus: return map(n, x, y, [](vf v) { return softplus(v); });
    case kTanh: return map(n, x, y, [](vf v) { return tanhOf(v); });
  }
}

}  // namespace lathe::LATHE_VARIANT
