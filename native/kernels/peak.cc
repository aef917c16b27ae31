// The ceilings: multiply-adds as fast as the instruction set can issue them, on operands that are not zeros.
#include "variant.h"
#if defined(LATHE_DOT_BF16)
#include <immintrin.h>
#endif
#if defined(LATHE_TILES)
#include "tiles.h"
#endif

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int kChains = 12;  // more than latency times rate

double peakF32(int64_t rounds) {
  vf sums[kChains], a = splat(0.999f), b = splat(1e-3f);
  for (int i = 0; i < kChains; ++i) sums[i] = splat(1.0f + 0.01f * static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r)
    for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * a + b;
  float total = 0;
  for (int i = 0; i < kChains; ++i) total += sum(sums[i]);
  volatile float keep = total;
  static_cast<void>(keep);
  return 2.0 * W * kChains * static_cast<double>(rounds);
}

#if defined(LATHE_TILES)
double peakBf16(int64_t rounds) {
  alignas(64) uint16_t operands[4][512];
  uint32_t state = 1;
  for (auto& tile : operands)
    for (uint16_t& x : tile) x = static_cast<uint16_t>(0x3c00u | ((state = state * 1664525u + 1013904223u) >> 23));
  TileConfig config = {};
  config.palette = 1;
  for (int i = 0; i < 8; ++i) config.rowBytes[i] = 64, config.rows[i] = 16;
  tileConfigure(config);
  tileZero<0>(), tileZero<1>(), tileZero<2>(), tileZero<3>();
  for (int64_t r = 0; r < rounds; ++r) {
    tileLoad<4>(operands[0], 64), tileLoad<6>(operands[2], 64);
    tileDot<0, 4, 6>();
    tileLoad<7>(operands[3], 64);
    tileDot<1, 4, 7>();
    tileLoad<5>(operands[1], 64);
    tileDot<2, 5, 6>(), tileDot<3, 5, 7>();
  }
  alignas(64) float out[256];
  tileStore<3>(out, 64);
  volatile float keep = out[0];
  static_cast<void>(keep);
  return 4.0 * 2 * 16 * 16 * 32 * static_cast<double>(rounds);
}
#elif defined(LATHE_DOT_BF16)
double peakBf16(int64_t rounds) {
  __m512 sums[kChains];
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f013f01), b = (__m512bh)_mm512_set1_epi32(0x3a833a83);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(0.01f * static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r)
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  float total = 0;
  for (int i = 0; i < kChains; ++i) total += sum(reinterpret_cast<vf>(sums[i]));
  volatile float keep = total;
  static_cast<void>(keep);
  return 2.0 * 32 * kChains * static_cast<double>(rounds);
}
#else
double peakBf16(int64_t) { return 0; }  // no instruction of its own
#endif

}  // namespace

double peak(Precision precision, int64_t rounds) {
  return precision == Precision::BF16 ? peakBf16(rounds) : peakF32(rounds);
}

}  // namespace lathe::LATHE_VARIANT
