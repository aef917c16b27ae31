// The other ceilings: how fast caches and memory are read.
#include "variant.h"

namespace lathe::LATHE_VARIANT {

float readAll(const float* data, int64_t n, int64_t rounds) {
  constexpr int kSums = 8;  // more than latency times rate
  vf sums[kSums] = {};
  for (int64_t r = 0; r < rounds; ++r) {
    for (int64_t i = 0; i < n; i += kSums * W)
      for (int s = 0; s < kSums; ++s) sums[s] += load(data + i + s * W);
    asm volatile("" ::: "memory");  // each round reads again
  }
  float total = 0;
  for (const vf& s : sums) total += sum(s);
  return total;
}

}  // namespace lathe::LATHE_VARIANT
