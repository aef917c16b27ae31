#include "check.h"

namespace lathe::test {

namespace {

void runCase(const Kernels& kernels, int64_t rows, int64_t cols, bool center, bool scaled, bool accumulate) {
  Random random(static_cast<uint64_t>(rows * 1000 + cols));
  const int64_t n = rows * cols;
  Floats x(random.floats(rows * cols)), dy(random.floats(rows * cols)), gain(random.floats(cols));
  Floats bias(random.floats(cols)), y(n), dx(n), dgain(random.floats(cols)), dbias(random.floats(cols));
  for (int64_t i = 0; i < n; ++i) x[i] += 3;  // a mean that a one-pass variance would suffer from
  const float eps = 1e-5f;

  Doubles wantY(n), wantDx(n), wantDgain(cols), wantDbias(cols);
  for (int64_t j = 0; j < cols; ++j) {
    wantDgain[j] = accumulate ? dgain[j] : 0;
    wantDbias[j] = accumulate ? dbias[j] : 0;
  }
  for (int64_t r = 0; r < n; r += cols) {
    double mean = 0, variance = 0, plain = 0, weighted = 0;
    for (int64_t j = 0; j < cols; ++j) mean += center ? double(x[r + j]) / double(cols) : 0;
    for (int64_t j = 0; j < cols; ++j) variance += (x[r + j] - mean) * (x[r + j] - mean) / double(cols);
    const double rstd = 1 / std::sqrt(variance + eps);
    const auto unit = [&](int64_t j) { return (x[r + j] - mean) * rstd; };
    const auto g = [&](int64_t j) { return double(dy[r + j]) * (scaled ? gain[j] : 1); };
    for (int64_t j = 0; j < cols; ++j) {
      wantY[r + j] = unit(j) * (scaled ? gain[j] : 1) + (scaled ? bias[j] : 0);
      plain += center ? g(j) / double(cols) : 0;
      weighted += g(j) * unit(j) / double(cols);
      wantDgain[j] += dy[r + j] * unit(j);
      wantDbias[j] += dy[r + j];
    }
    for (int64_t j = 0; j < cols; ++j) wantDx[r + j] = rstd * (g(j) - plain - unit(j) * weighted);
  }

  const Norm norm = {rows, cols, center, eps, x.data(), scaled ? gain.data() : nullptr, scaled ? bias.data() : nullptr};
  UsedScratch scratch;
  Guarded<uint16_t> halves(n);
  kernels.norm(norm, {y.data(), false});
  kernels.norm(norm, {halves.data(), true});
  Floats from(random.floats(n)), added(n);
  kernels.normGrad(norm, dy.data(), nullptr, dx.data(), dgain.data(), scaled ? dbias.data() : nullptr, accumulate, scratch);
  kernels.normGrad(norm, dy.data(), from.data(), added.data(), nullptr, nullptr, accumulate, scratch);
  kernels.normGrad(norm, dy.data(), nullptr, dy.data(), nullptr, nullptr, accumulate, scratch);

  const std::string what = text("%s norm %s rows %d, cols %d%s", kernels.name, center ? "centred" : "rms", int(rows),
                                int(cols), scaled ? ", gain and bias" : "");
  const double allowed = tolerance(Precision::F32, double(cols) + 16);
  checkClose(y.data(), wantY, allowed, what + ", y");
  // Of one value, or two centred ones, the gradient is little but the rounding of what cancels.
  const bool cancels = cols == 1 || (center && cols == 2);
  if (!cancels) checkClose(dx.data(), wantDx, 4 * allowed, what + ", dx");
  for (int64_t i = 0; i < n && cancels; ++i)
    check(std::fabs(dx[i] - wantDx[i]) < 2e-4 / std::sqrt(eps), "%s: dx %g, not %g", what.c_str(), dx[i], wantDx[i]);
  check(areHalvesOf(halves, y), "%s: y rounded differs", what.c_str());
  bool isAdded = true;
  for (int64_t i = 0; i < n; ++i) isAdded &= added[i] == from[i] + dx[i];
  check(isAdded, "%s: dx is not added", what.c_str());
  check(dx.same(dy), "%s: in place differs", what.c_str());
  checkClose(dgain.data(), wantDgain, 4 * allowed, what + ", dgain");
  if (scaled) checkClose(dbias.data(), wantDbias, tolerance(Precision::F32, double(rows)), what + ", dbias");
}

}  // namespace

void testNorm(const Kernels& kernels) {
  for (const int64_t rows : {1, 3, 17, 64})
    for (const int64_t cols : {1, 2, 3, 5, 16, 17, 31, 33, 64, 100, 133, 512})
      for (const bool center : {false, true})
        for (const bool scaled : {false, true}) runCase(kernels, rows, cols, center, scaled, (rows + cols) % 2);
}

}  // namespace lathe::test
