// Passes over one row that softmax and cross-entropy share.
#pragma once
#include "math.h"

namespace lathe::LATHE_VARIANT {

LATHE_INLINE float largestOf(int64_t n, const float* x) {
  vf top = splat(-kInfinity);
  int64_t i = 0;
  for (; i + W <= n; i += W) top = larger(load(x + i), top);
  if (i < n) top = larger(loadPart(x + i, n - i, splat(-kInfinity)), top);
  return largest(top);
}

// y = exp(x - shift); returns the sum.
LATHE_INLINE float expShifted(int64_t n, const float* x, float shift, float* y) {
  vf total = {};
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vf e = expFlushed(load(x + i) - shift);
    total += e;
    store(y + i, e);
  }
  if (i < n) {
    const vf e = expFlushed(loadPart(x + i, n - i, splat(-kInfinity)) - shift);
    total += e;
    storePart(y + i, e, n - i);
  }
  return sum(total);
}

}  // namespace lathe::LATHE_VARIANT
