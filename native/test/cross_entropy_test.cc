#include "check.h"

namespace lathe::test {

namespace {

void runCase(const Kernels& kernels, Precision precision, int64_t T, int64_t d, int64_t V, bool accumulate) {
  Random random(static_cast<uint64_t>(T + 100 * d + 10000 * V));
  Floats x(random.floats(T * d)), w(random.floats(V * d)), dlosses(random.floats(T));
  Floats losses(T), lse(T), dx(x.size()), dW(random.floats(V * d));
  Ints targets(T), predictions(T);
  for (int64_t i = 0; i < T; ++i)
    targets[i] = i % 5 == 3 ? -1 : static_cast<int32_t>(i % 5 == 4 ? V - 1 : random.below(V));

  Guarded<char> packedW(kernels.packedBytes(precision, d, V)), packedWT(kernels.packedBytes(precision, V, d));
  kernels.pack(precision, d, V, {w.data(), 1, d}, packedW.data());
  kernels.pack(precision, V, d, {w.data(), d, 1}, packedWT.data());
  CrossEntropy s = {T, d, V, {x.data(), d, 1}, packedW.data(), packedWT.data(), targets.data()};

  Doubles wantLoss(T), wantLse(T), wantDx(T * d), wantDW(V * d);
  for (int64_t i = 0; i < V * d; ++i) wantDW[i] = accumulate ? dW[i] : 0;
  UsedScratch scratch;
  kernels.crossEntropy(precision, s, losses.data(), predictions.data(), lse.data(), scratch);
  const std::string what =
      text("%s cross-entropy %s T %d, d %d, V %d", kernels.name, nameOf(precision), int(T), int(d), int(V));

  Doubles xUsed(T * d), wUsed(V * d), logits(V);
  for (int64_t i = 0; i < T * d; ++i) xUsed[i] = operand(precision, x[i]);
  for (int64_t i = 0; i < V * d; ++i) wUsed[i] = operand(precision, w[i]);
  for (int64_t i = 0; i < T; ++i) {
    const double* xi = xUsed.data() + i * d;
    double top = -INFINITY, total = 0;
    for (int64_t v = 0; v < V; ++v) {
      double& logit = logits[v] = 0;
      for (int64_t c = 0; c < d; ++c) logit += xi[c] * wUsed[v * d + c];
      top = std::fmax(top, logit);
    }
    for (const double logit : logits) total += std::exp(logit - top);
    wantLse[i] = top + std::log(total);
    const bool counts = targets[i] >= 0;
    wantLoss[i] = counts ? wantLse[i] - logits[targets[i]] : 0;
    check(logits[predictions[i]] >= top - 1e-5, "%s: prediction %d of row %d is not the largest logit",
          what.c_str(), predictions[i], int(i));
    if (!counts) {
      check(losses[i] == 0, "%s: a row without a target has loss %g", what.c_str(), losses[i]);
      continue;
    }
    for (int64_t v = 0; v < V; ++v) {
      const double share = std::exp(logits[v] - wantLse[i]) - (v == targets[i]);
      const double dlogit = operand(precision, share * dlosses[i]);
      for (int64_t c = 0; c < d; ++c) {
        wantDx[i * d + c] += dlogit * wUsed[v * d + c];
        wantDW[v * d + c] += dlogit * xi[c];
      }
    }
  }
  const double allowed = tolerance(precision, double(d + 16));
  checkClose(losses.data(), wantLoss, allowed, what + ", losses");
  checkClose(lse.data(), wantLse, allowed, what + ", lse");

  Floats dx2(T * d), dW2(V * d);
  std::memcpy(dW2.data(), dW.data(), size_t(V * d) * sizeof(float));
  kernels.crossEntropyGrad(precision, s, lse.data(), dlosses.data(), dx.data(), dW.data(), accumulate, scratch);
  checkClose(dx.data(), wantDx, allowed, what + ", dx");
  checkClose(dW.data(), wantDW, allowed, what + ", dW");
  // The second time from halves, where those can be lines.
  const bool halves = precision == Precision::BF16 && d % 32 == 0;
  Guarded<uint16_t> xHalves(T * d);
  for (int64_t i = 0; i < T * d; ++i) xHalves[i] = bf16Bits(x[i]);
  if (halves) s.x = {xHalves.data(), d, 1, true};
  Floats losses2(T), lse2(T);
  kernels.crossEntropy(precision, s, losses2.data(), predictions.data(), lse2.data(), scratch);
  kernels.crossEntropyGrad(precision, s, lse.data(), dlosses.data(), dx2.data(), dW2.data(), accumulate, scratch);
  check(losses.same(losses2) && lse.same(lse2) && dx.same(dx2) && dW.same(dW2), "%s: two runs differ", what.c_str());
}

// Equal logits: the first is the prediction, also across the chunks of the vocabulary.
void ties(const Kernels& kernels, Precision precision) {
  const int64_t T = 3, d = 20, V = 1500;
  Random random(1);
  const std::vector<float> one = random.floats(d);
  std::vector<float> rows;
  for (int64_t v = 0; v < V; ++v) rows.insert(rows.end(), one.begin(), one.end());
  Floats w(rows), x(random.floats(T * d)), losses(T), lse(T);
  Ints targets(std::vector<int32_t>{0, 700, 1499}), predictions(T);
  Guarded<char> packed(kernels.packedBytes(precision, d, V));
  kernels.pack(precision, d, V, {w.data(), 1, d}, packed.data());
  UsedScratch scratch;
  kernels.crossEntropy(precision, {T, d, V, {x.data(), d, 1}, packed.data(), nullptr, targets.data()}, losses.data(),
                       predictions.data(), lse.data(), scratch);
  for (int64_t i = 0; i < T; ++i) {
    check(predictions[i] == 0, "%s cross-entropy: of equal logits, %d is the prediction", kernels.name, predictions[i]);
    check(std::fabs(losses[i] - std::log(double(V))) < 1e-5, "%s cross-entropy: equal logits have loss %g",
          kernels.name, losses[i]);
  }
}

// A row without a target has no gradient, even where its logits overflow.
void overflowIsMasked(const Kernels& kernels) {
  Floats w(std::vector<float>{1e30f, -1e30f}), x(std::vector<float>{1e30f, 1e-30f}), losses(2), lse(2), dx(2), dW(2);
  Ints targets(std::vector<int32_t>{-1, 0}), predictions(2);
  Guarded<char> packed(kernels.packedBytes(Precision::F32, 1, 2)), packedT(kernels.packedBytes(Precision::F32, 2, 1));
  kernels.pack(Precision::F32, 1, 2, {w.data(), 1, 1}, packed.data());
  kernels.pack(Precision::F32, 2, 1, {w.data(), 1, 1}, packedT.data());
  const CrossEntropy s = {2, 1, 2, {x.data(), 1, 1}, packed.data(), packedT.data(), targets.data()};
  const std::vector<float> dlosses = {1, 1};
  UsedScratch scratch;
  kernels.crossEntropy(Precision::F32, s, losses.data(), predictions.data(), lse.data(), scratch);
  kernels.crossEntropyGrad(Precision::F32, s, lse.data(), dlosses.data(), dx.data(), dW.data(), false, scratch);
  check(std::isinf(lse[0]) || std::isnan(lse[0]), "%s cross-entropy: lse %g has not overflowed", kernels.name, lse[0]);
  check(dx[0] == 0 && std::isfinite(dx[1]) && std::isfinite(dW[0]) && std::isfinite(dW[1]),
        "%s cross-entropy: a row without a target has gradient %g, weights %g and %g", kernels.name, dx[0], dW[0], dW[1]);
}

void nanIsSeen(const Kernels& kernels) {
  Floats w(std::vector<float>{1, 2, 3}), x(std::vector<float>{NAN, 1}), losses(2), lse(2);
  Ints targets(std::vector<int32_t>{0, 0}), predictions(2);
  Guarded<char> packed(kernels.packedBytes(Precision::F32, 1, 3));
  kernels.pack(Precision::F32, 1, 3, {w.data(), 1, 1}, packed.data());
  UsedScratch scratch;
  kernels.crossEntropy(Precision::F32, {2, 1, 3, {x.data(), 1, 1}, packed.data(), nullptr, targets.data()}, losses.data(),
                       predictions.data(), lse.data(), scratch);
  check(std::isnan(losses[0]) && predictions[0] >= 0 && predictions[0] < 3, "%s cross-entropy: NaN gives loss %g",
        kernels.name, losses[0]);
  check(std::isfinite(losses[1]), "%s cross-entropy: NaN spreads to the next row", kernels.name);
}

}  // namespace

void testCrossEntropy(const Kernels& kernels) {
  for (const Precision precision : kPrecisions) {
    for (const int64_t V : {2, 7, 64, 1000})
      for (const int64_t d : {1, 3, 16, 33, 64})
        for (const int64_t T : {1, 3, 17, 70, 133}) runCase(kernels, precision, T, d, V, (T + d) % 2);
    runCase(kernels, precision, 1, 5, 33000, false);
    runCase(kernels, precision, 17, 8, 33000, true);
    ties(kernels, precision);
  }
  nanIsSeen(kernels);
  overflowIsMasked(kernels);
}

}  // namespace lathe::test
