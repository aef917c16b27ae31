// The AMX tile instructions, each with its tile numbers as template arguments; with LATHE_AMX_EMULATED the same in
// plain C++, after the operation sections of the Intel SDM (LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBF16PS).
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

// The 64 bytes that LDTILECFG reads.
struct alignas(64) TileConfig {
  uint8_t palette, startRow, reserved[14];
  uint16_t rowBytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

#if !defined(LATHE_AMX_EMULATED)

// The memory clobbers keep the compiler from moving ordinary stores past a tile load, and loads past a tile store.
LATHE_INLINE void tileConfigure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
}
template <int tile>
LATHE_INLINE void tileZero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
template <int tile>
LATHE_INLINE void tileLoad(const void* data, int64_t strideBytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(data), "r"(strideBytes), "i"(tile) : "memory");
}
template <int tile>
LATHE_INLINE void tileStore(void* data, int64_t strideBytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(data), "r"(strideBytes), "i"(tile) : "memory");
}
// c += a . b: a holds rows of bf16 pairs, b pairs of rows.
template <int c, int a, int b>
LATHE_INLINE void tileDot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

#else

struct Tile {
  uint8_t row[16][64];
};
static thread_local TileConfig tileConfig;
static thread_local Tile tiles[8];

LATHE_INLINE void tileConfigure(const TileConfig& config) {
  tileConfig = config;
  __builtin_memset(tiles, 0, sizeof tiles);
}
template <int tile>
LATHE_INLINE void tileZero() {
  __builtin_memset(&tiles[tile], 0, sizeof(Tile));
}
template <int tile>
LATHE_INLINE void tileLoad(const void* data, int64_t strideBytes) {
  tileZero<tile>();
  for (int r = 0; r < tileConfig.rows[tile]; ++r)
    __builtin_memcpy(tiles[tile].row[r], static_cast<const uint8_t*>(data) + r * strideBytes,
                     tileConfig.rowBytes[tile]);
}
template <int tile>
LATHE_INLINE void tileStore(void* data, int64_t strideBytes) {
  for (int r = 0; r < tileConfig.rows[tile]; ++r)
    __builtin_memcpy(static_cast<uint8_t*>(data) + r * strideBytes, tiles[tile].row[r], tileConfig.rowBytes[tile]);
}

// Denormals count as zero, going in and coming out.
LATHE_INLINE float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? 0.0f * x : x; }
LATHE_INLINE float flushedBf16(uint32_t upper) {
  float x;
  __builtin_memcpy(&x, &upper, 4);
  return flushed(x);
}

template <int c, int a, int b>
__attribute__((noinline)) static void tileDot() {
  const int columns = tileConfig.rowBytes[c] / 4;
  for (int m = 0; m < tileConfig.rows[c]; ++m) {
    float even[16] = {}, odd[16] = {}, out[16];
    for (int k = 0; k < tileConfig.rowBytes[a] / 4; ++k) {
      uint32_t x, y[16];
      __builtin_memcpy(&x, tiles[a].row[m] + 4 * k, 4);
      __builtin_memcpy(y, tiles[b].row[k], 64);
      const float lo = flushedBf16(x << 16), hi = flushedBf16(x & 0xffff0000u);
      for (int n = 0; n < columns; ++n) {
        even[n] = flushed(__builtin_fmaf(lo, flushedBf16(y[n] << 16), even[n]));
        odd[n] = flushed(__builtin_fmaf(hi, flushedBf16(y[n] & 0xffff0000u), odd[n]));
      }
    }
    __builtin_memcpy(out, tiles[c].row[m], 64);
    for (int n = 0; n < columns; ++n) out[n] = flushed(flushed(out[n]) + flushed(even[n] + odd[n]));
    __builtin_memset(tiles[c].row[m], 0, 64);
    __builtin_memcpy(tiles[c].row[m], out, tileConfig.rowBytes[c]);
  }
}

#endif

}  // namespace lathe::LATHE_VARIANT
