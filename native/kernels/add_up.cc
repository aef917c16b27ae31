#include "variant.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kChunk = 1024;  // stays in L1 between its sum and its squares
constexpr int D = W / 2;          // doubles in a vector
typedef float hf __attribute__((vector_size(kVectorBytes / 2)));
typedef double vd __attribute__((vector_size(kVectorBytes)));

double squaresOf(const float* x, int64_t n) {
  constexpr int kSums = 4;
  vd sums[kSums] = {};
  const auto take = [&](int s, hf v) {
    const vd wide = __builtin_convertvector(v, vd);
    sums[s] += wide * wide;
  };
  int64_t i = 0;
  for (; i + kSums * D <= n; i += kSums * D)
    for (int s = 0; s < kSums; ++s) take(s, load<hf>(x + i + s * D));
  for (; i < n; i += D) take(0, loadPart<hf>(x + i, least(D, n - i)));
  double total = 0;
  for (const vd& s : sums)
    for (int k = 0; k < D; ++k) total += s[k];
  return total;
}

}  // namespace

double addUp(int count, const float* const* parts, int64_t n, bool add, float* into) {
  double squares = 0;
  for (int64_t at = 0; at < n; at += kChunk) {
    const int64_t end = least(n, at + kChunk);
    const auto total = [&](auto read) {
      vf v = add ? read(into) : vf{};
      for (int p = 0; p < count; ++p) v += read(parts[p]);
      return v;
    };
    int64_t i = at;
    for (; i + W <= end; i += W) store(into + i, total([&](const float* x) { return load(x + i); }));
    if (i < end) storePart(into + i, total([&](const float* x) { return loadPart(x + i, end - i); }), end - i);
    squares += squaresOf(into + at, end - at);
  }
  return squares;
}

}  // namespace lathe::LATHE_VARIANT
