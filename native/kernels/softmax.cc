#include "variant.h"
#include "rows.h"

namespace lathe::LATHE_VARIANT {

void softmax(int64_t rows, int64_t cols, const float* x, float* y) {
  for (int64_t i = 0; i < rows; ++i, x += cols, y += cols) {
    const float share = 1.0f / expShifted(cols, x, largestOf(cols, x), y);
    map(cols, y, y, [&](vf e) { return e * share; });
  }
}

}  // namespace lathe::LATHE_VARIANT
