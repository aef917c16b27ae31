#include "variant.h"
#include "rows.h"

namespace lathe::LATHE_VARIANT {

void softmax(int64_t rows, int64_t cols, const float* x, float* y) {
  for (int64_t i = 0; i < rows; ++i) softmaxRow(cols, x + i * cols, y + i * cols);
}

}  // namespace lathe::LATHE_VARIANT
