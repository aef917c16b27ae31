// Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.4.2), pairs (i, i + half).
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

// Heads of a matrix: values from row to row, and from head to head.
template <class Value>
struct InHeads {
  Value* data;
  int64_t row, head;
};

// y = x turned by a ropeTable (direction 1) or turned back (-1), in place or apart.
void rotate(const float* table, int64_t rows, int64_t nHeads, int64_t dHead, InHeads<const float> x, InHeads<float> y,
            float direction);

}  // namespace lathe::LATHE_VARIANT
