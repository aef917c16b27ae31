#include <deque>

#include "check.h"

namespace lathe::test {

static void runSumTo(const Kernels& kernels, int64_t rows, int64_t cols, bool add) {
  Random random(static_cast<uint64_t>(100 * rows + cols));
  Floats x(random.floats(rows * cols));
  for (const bool keepRows : {false, true})
    for (const bool keepCols : {false, true}) {
      if (keepRows && keepCols) continue;
      const int64_t n = keepRows ? rows : keepCols ? cols : 1;
      Floats y(random.floats(n));
      Doubles want(n), size(n);
      for (int64_t i = 0; i < n; ++i) size[i] = std::fabs(want[i] = add ? y[i] : 0);
      for (int64_t i = 0; i < rows * cols; ++i) {
        const int64_t at = keepRows ? i / cols : keepCols ? i % cols : 0;
        want[at] += x[i];
        size[at] += std::fabs(x[i]);
      }
      kernels.sumTo(rows, cols, keepRows, keepCols, x.data(), y.data(), add);
      for (int64_t i = 0; i < n; ++i)
        check(std::fabs(y[i] - want[i]) <= 1.2e-7 * size[i], "%s sum of %dx%d, keeps %d %d%s: %g at %d, not %g", kernels.name, int(rows), int(cols),
              keepRows, keepCols, add ? ", added" : "", y[i], int(i), want[i]);
    }
}

static void runAddUp(const Kernels& kernels, int64_t n, int count, bool add) {
  Random random(static_cast<uint64_t>(10 * n + count));
  std::deque<Floats> parts;
  std::vector<const float*> pointers;
  for (int p = 0; p < count; ++p) pointers.push_back(parts.emplace_back(random.floats(n)).data());
  Floats into(random.floats(n));
  Floats want(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    float total = add ? into[i] : 0;
    for (const float* part : pointers) total += part[i];
    want[i] = total;
    squares += static_cast<double>(total) * total;
  }
  const double got = kernels.addUp(count, pointers.data(), n, add, into.data());
  const std::string what = text("%s add up %d parts of %d%s", kernels.name, count, int(n), add ? ", added" : "");
  check(into.same(want), "%s: another sum", what.c_str());
  check(std::fabs(got - squares) <= 1e-13 * squares, "%s: squares %.17g, not %.17g", what.c_str(), got, squares);
}

void testSums(const Kernels& kernels) {
  for (const int64_t rows : {1, 2, 17, 100})
    for (const int64_t cols : {1, 3, 15, 16, 17, 31, 64, 65, 133, 512})
      for (const bool add : {false, true}) runSumTo(kernels, rows, cols, add);
  for (const int64_t n : {0, 1, 3, 15, 16, 17, 100, 1023, 1024, 1025, 5000})
    for (const int count : {0, 1, 2, 8})
      for (const bool add : {false, true}) runAddUp(kernels, n, count, add);
  const float large[] = {1e30f, -2e30f, NAN};
  const float* part = large;
  Floats into(3);
  const double squares = kernels.addUp(1, &part, 2, false, into.data());
  check(std::fabs(squares / 5e60 - 1) < 1e-6, "%s add up: squares of large numbers are %g", kernels.name, squares);
  check(std::isnan(kernels.addUp(1, &part, 3, false, into.data())), "%s add up: NaN is lost", kernels.name);
}

}  // namespace lathe::test
