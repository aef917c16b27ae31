#include "check.h"

namespace lathe::test {

static void runCase(const Kernels& kernels, int64_t rows, int64_t cols, float spread) {
  Random random(static_cast<uint64_t>(cols));
  const int64_t n = rows * cols;
  Floats x(random.floats(rows * cols)), y(n);
  for (int64_t i = 0; i < n; ++i) x[i] *= spread;
  if (cols > 2) x[1] = -INFINITY;
  Doubles want(n);
  for (int64_t r = 0; r < rows; ++r) {
    double top = -INFINITY, total = 0;
    const auto at = [&](int64_t j) { return r * cols + j; };
    for (int64_t j = 0; j < cols; ++j) top = std::fmax(top, x[at(j)]);
    for (int64_t j = 0; j < cols; ++j) total += want[at(j)] = std::exp(x[at(j)] - top);
    for (int64_t j = 0; j < cols; ++j) want[at(j)] /= total;
  }
  kernels.softmax(rows, cols, x.data(), y.data());
  const std::string what = text("%s softmax rows %d, cols %d, spread %g", kernels.name, int(rows), int(cols), spread);
  checkClose(y.data(), want, 1e-6, what);
  if (cols > 2) check(y[1] == 0, "%s: -inf has probability %g", what.c_str(), y[1]);
  kernels.softmax(rows, cols, x.data(), x.data());
  check(x.same(y), "%s: in place differs", what.c_str());
}

void testSoftmax(const Kernels& kernels) {
  for (const int64_t cols : {1, 2, 3, 5, 16, 17, 31, 32, 33, 64, 100, 133, 5000})
    for (const int64_t rows : {1, 5})
      for (const float spread : {1.0f, 300.0f}) runCase(kernels, rows, cols, spread);
  Floats x(std::vector<float>{1, NAN, 2, 3, 4, 5}), y(6);
  kernels.softmax(2, 3, x.data(), y.data());
  check(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]), "%s softmax: NaN is lost", kernels.name);
  check(std::isfinite(y[3] + y[4] + y[5]), "%s softmax: NaN spreads to the next row", kernels.name);
}

}  // namespace lathe::test
