// Sums whose parts are f32 and whose total is double.
#include "variant.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kChunk = 1024;  // stays in L1 between its sum and its squares
typedef float hf __attribute__((vector_size(kVectorBytes / 2)));

// The sum of f(x) over n values.
template <class F>
LATHE_INLINE double total(int64_t n, const float* x, F f) {
  constexpr int kSums = 4;
  vd sums[kSums] = {};
  const auto wide = [](hf v) { return __builtin_convertvector(v, vd); };
  int64_t i = 0;
  for (; i + kSums * D <= n; i += kSums * D)
    for (int s = 0; s < kSums; ++s) sums[s] += f(wide(load<hf>(x + i + s * D)));
  for (; i < n; i += D) sums[0] += f(wide(loadPart<hf>(x + i, least(D, n - i))));
  const vd all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double result = 0;
  for (int k = 0; k < D; ++k) result += all[k];
  return result;
}

LATHE_INLINE double sumOf(int64_t n, const float* x) {
  return total(n, x, [](vd v) { return v; });
}

}  // namespace

void sumTo(int64_t rows, int64_t columns, bool keepRows, bool keepColumns, const float* x, float* y, bool add) {
  const auto give = [&](int64_t i, double value) { y[i] = (add ? y[i] : 0.0f) + static_cast<float>(value); };
  if (keepRows) {
    for (int64_t r = 0; r < rows; ++r) give(r, sumOf(columns, x + r * columns));
    return;
  }
  if (!keepColumns) return give(0, sumOf(rows * columns, x));
  constexpr int64_t kWide = 64;
  for (int64_t c0 = 0; c0 < columns; c0 += kWide) {
    const int64_t n = least(kWide, columns - c0);
    double sums[kWide] = {};
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < n; ++c) sums[c] += x[r * columns + c0 + c];
    for (int64_t c = 0; c < n; ++c) give(c0 + c, sums[c]);
  }
}

double addUp(int count, const float* const* parts, int64_t n, bool add, float* into) {
  double squares = 0;
  for (int64_t at = 0; at < n; at += kChunk) {
    const int64_t end = least(n, at + kChunk);
    const auto added = [&](auto read) {
      vf v = add ? read(into) : vf{};
      for (int p = 0; p < count; ++p) v += read(parts[p]);
      return v;
    };
    int64_t i = at;
    for (; i + W <= end; i += W) store(into + i, added([&](const float* x) { return load(x + i); }));
    if (i < end) storePart(into + i, added([&](const float* x) { return loadPart(x + i, end - i); }), end - i);
    squares += total(end - at, into + at, [](vd v) { return v * v; });
  }
  return squares;
}

}  // namespace lathe::LATHE_VARIANT
