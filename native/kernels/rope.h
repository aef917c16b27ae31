// Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.4.2), pairs (i, i + half).
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

// The turn of pair i at row r: cosine and sine at [r * pitch + i].
struct Rope {
  int64_t half = 0, pitch = 0;
  float *cosines = nullptr, *sines = nullptr;
};

// The turns of `rows` rows that stand at positions[r], or at r where positions is null.
Rope makeRope(float base, int64_t dHead, int64_t rows, const int32_t* positions, Scratch&);

// Heads of a matrix: values from row to row, and from head to head.
template <class Value>
struct InHeads {
  Value* data;
  int64_t row, head;
};

// y = x turned (direction 1) or turned back (-1), in place or apart; row r of x takes row row0 + r of the table.
void rotate(const Rope&, int64_t row0, int64_t rows, int64_t nHeads, int64_t dHead, InHeads<const float> x,
            InHeads<float> y, float direction);

}  // namespace lathe::LATHE_VARIANT
