#include "check.h"

namespace lathe::test {

namespace {

// One chain over every op, operand shape and kind of write:
// s = m + row; p = s * column; w = p > 0 ? p : scalar; q = 2 * w - m into `out`, and into `halves`; d = exp(q) / m added to
// `sum`; GELU of d into `gelu`, and its derivative times m into `slope`.
void runCase(const Kernels& kernels, int64_t rows, int64_t cols) {
  Random random(static_cast<uint64_t>(rows * 10000 + cols));
  const int64_t n = rows * cols;
  Floats m(random.floats(n)), row(random.floats(cols)), column(random.floats(rows)), scalar(random.floats(1));
  Floats out(n), copy(n), sum(random.floats(n)), gelu(n), slope(n);
  for (int64_t i = 0; i < n; ++i) m[i] += m[i] < 0 ? -0.5f : 0.5f;

  Doubles wantOut(n), wantSum(n), wantSlope(n);
  for (int64_t i = 0; i < n; ++i) {
    const float p = (m[i] + row[i % cols]) * column[i / cols];
    const double q = 2.0 * (p > 0 ? p : scalar[0]) - m[i];
    wantOut[i] = q;
    wantSum[i] = sum[i] + std::exp(q) / m[i];
  }

  enum { kM, kRow, kColumn, kScalar, kS, kP, kOn, kW, kQ, kDifference, kExponential, kRatio, kCopied, kRounded, kGelus, kSlopes };
  const ElementwiseOp ops[] = {{kAdd, -1, kM, kRow, 0},       {kMul, -1, kS, kColumn, 0},
                               {kStep, -1, kP, 0, 0},         {kWhere, -1, kOn, kP, kScalar},
                               {kMul, -1, kW, -1, 0},         {kSub, 0, kQ, kM, 0},
                               {kExp, -1, kDifference, 0, 0}, {kDiv, 1, kExponential, kM, 0},
                               {kCopy, 2, kDifference, 0, 0}, {kCopy, 3, kDifference, 0, 0},
                               {kGelu, 4, kDifference, 0, 0},  {kDerivative, -1, kDifference, 0, 0},
                               {kMul, 5, kSlopes, kM, 0}};
  const Input operands[] = {{m.data(), false}, {row.data(), false}, {column.data(), false}, {scalar.data(), false}};
  const int64_t steps[] = {cols, 1, 0, 1, 1, 0, 0, 0};
  const float constants[] = {2};
  Guarded<uint16_t> rounded(n);
  const Output writes[] = {{out.data(), false}, {sum.data(), false}, {copy.data(), false},
                           {rounded.data(), true}, {gelu.data(), false}, {slope.data(), false}};
  const bool adds[] = {false, true, false, false, false, false};
  UsedScratch scratch;
  kernels.elementwise({Precision::F32, rows, cols, 4, 13, 1, 6, operands, steps, ops, constants, writes, adds}, scratch);

  const std::string what = text("%s elementwise rows %d, cols %d", kernels.name, int(rows), int(cols));
  checkClose(out.data(), wantOut, 1e-6, what);
  checkClose(sum.data(), wantSum, 1e-6, what + ", added");
  Floats ofGelu(n), ofSlope(n);
  kernels.unary(kGelu, n, out.data(), ofGelu.data(), {ofSlope.data(), false});
  for (int64_t i = 0; i < n; ++i) wantSlope[i] = static_cast<double>(ofSlope[i]) * m[i];
  check(gelu.same(ofGelu), "%s: GELU differs", what.c_str());
  checkClose(slope.data(), wantSlope, 1e-6, what + ", its derivative");
  check(copy.same(out), "%s: the copy differs", what.c_str());
  check(areHalvesOf(rounded, out), "%s: rounded it differs", what.c_str());
}

// s = m + m; c = s; p = s * m; q = exp(p); r = q * p; y = c - r: while c is needed, s is.
void runCopyCase(const Kernels& kernels, int64_t n) {
  Random random(static_cast<uint64_t>(n));
  Floats m(random.floats(n)), y(n);
  Doubles want(n);
  for (int64_t i = 0; i < n; ++i) {
    const double s = 2.0 * m[i], p = s * m[i];
    want[i] = s - std::exp(p) * p;
  }
  enum { kM, kS, kC, kP, kQ, kR };
  const ElementwiseOp ops[] = {{kAdd, -1, kM, kM, 0}, {kCopy, -1, kS, 0, 0}, {kMul, -1, kS, kM, 0},
                               {kExp, -1, kP, 0, 0},  {kMul, -1, kQ, kP, 0}, {kSub, 0, kC, kR, 0}};
  const Input operands[] = {{m.data(), false}};
  const int64_t steps[] = {n, 1};
  const Output writes[] = {{y.data(), false}};
  const bool adds[] = {false};
  UsedScratch scratch;
  kernels.elementwise({Precision::F32, 1, n, 1, 6, 0, 1, operands, steps, ops, nullptr, writes, adds}, scratch);
  checkClose(y.data(), want, 1e-6, text("%s elementwise copy of %d", kernels.name, int(n)));
}

// In bf16: derivatives are rounded, whether nothing else reads them (GELU's), or they are written as f32, or read (SiLU's); m is
// of halves.
void runRoundedCase(const Kernels& kernels, int64_t rows, int64_t cols) {
  Random random(static_cast<uint64_t>(rows * 7 + cols));
  const int64_t n = rows * cols;
  Floats m(random.floats(n)), gelu(n), silu(n), product(n);
  Guarded<uint16_t> halves(n), slope(n), slopeRead(n);
  for (int64_t i = 0; i < n; ++i) halves[i] = bf16Bits(m[i]), m[i] = static_cast<float>(toBf16(m[i]));
  enum { kM, kGelus, kGeluSlopes, kSilus, kSiluSlopes, kAgain, kAgainSlopes };
  const ElementwiseOp ops[] = {{kGelu, 0, kM, 0, 0}, {kDerivative, 1, kM, 0, 0}, {kSilu, -1, kM, 0, 0}, {kDerivative, 2, kM, 0, 0},
                               {kSilu, -1, kM, 0, 0}, {kDerivative, 3, kM, 0, 0}, {kMul, 4, kAgainSlopes, kM, 0}};
  const Input operands[] = {{halves.data(), true}};
  const int64_t steps[] = {cols, 1};
  const Output writes[] = {{gelu.data(), false}, {slope.data(), true}, {silu.data(), false}, {slopeRead.data(), true}, {product.data(), false}};
  const bool adds[] = {false, false, false, false, false};
  UsedScratch scratch;
  kernels.elementwise({Precision::BF16, rows, cols, 1, 7, 0, 5, operands, steps, ops, nullptr, writes, adds}, scratch);

  Floats value(n), ofGelu(n), ofSilu(n);
  kernels.unary(kGelu, n, m.data(), value.data(), {ofGelu.data(), false});
  const std::string what = text("%s elementwise of halves, rows %d, cols %d", kernels.name, int(rows), int(cols));
  check(gelu.same(value), "%s: GELU differs", what.c_str());
  kernels.unary(kSilu, n, m.data(), value.data(), {ofSilu.data(), false});
  check(areHalvesOf(slope, ofGelu) && areHalvesOf(slopeRead, ofSilu), "%s: a derivative differs", what.c_str());
  bool same = true;
  for (int64_t i = 0; i < n; ++i) {
    const auto rounded = static_cast<float>(toBf16(ofSilu[i]));
    same &= silu[i] == rounded && product[i] == rounded * m[i];
  }
  check(same, "%s: a derivative that is read was not rounded", what.c_str());
}

}  // namespace

void testElementwise(const Kernels& kernels) {
  for (const int64_t rows : {1, 3})
    for (const int64_t cols : {1, 16, 33, 64, 600}) runRoundedCase(kernels, rows, cols);
  for (const int64_t n : {1, 16, 33, 600}) runCopyCase(kernels, n);
  for (const int64_t rows : {1, 3, 17})
    for (const int64_t cols : {1, 2, 3, 5, 16, 17, 31, 32, 33, 64, 100, 133, 511, 512, 513, 1100})
      runCase(kernels, rows, cols);
}

}  // namespace lathe::test
