// Linear layer and cross-entropy in one: logits exist for a block of rows and a chunk of the vocabulary at a time.
#include "gemm.h"
#include "rows.h"
#include "variant.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kRowBlock = 64;
constexpr int64_t kChunk = 512;  // of the vocabulary, so that its weights stay in L2 over all rows
static_assert(kChunk % kPackedStep == 0 && kRowBlock % kPackedStep == 0);

// What is known of a row's logits after some chunks.
struct Running {
  float top = -kInfinity;
  double total = 0;  // of exp(logit - top)
  int32_t best = 0;
  float target = __builtin_nanf("");
};

int64_t indexOf(float value, const float* x) {
  int64_t i = 0;
  while (x[i] != value) ++i;
  return i;
}

// Takes in the logits [v0, v0 + n) of a row, and overwrites them.
void take(Running& row, int64_t v0, int64_t n, float* logits, int64_t target) {
  if (target >= v0 && target < v0 + n) row.target = logits[target - v0];
  const float top = largestOf(n, logits);
  if (top > row.top) {
    row.best = static_cast<int32_t>(v0 + indexOf(top, logits));
    row.total *= __builtin_exp(static_cast<double>(row.top) - top);
    row.top = top;
  }
  row.total += expShifted(n, logits, row.top, logits);
}

// Logits to their gradient, in place: (softmax - onehot(target)) * dloss, and 0 without a target, whatever they are.
void gradRow(int64_t v0, int64_t n, float* logits, float lse, float dloss, int64_t target) {
  if (target < 0) {
    __builtin_memset(logits, 0, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  map(n, logits, logits, [&](vf z) { return expFlushed(z - lse) * dloss; });
  if (target >= v0 && target < v0 + n) logits[target - v0] -= dloss;
}

Strided fromRow(const Strided& x, int64_t i) {
  const int64_t bytes = x.halves ? sizeof(uint16_t) : sizeof(float);
  return {static_cast<const char*>(x.data) + i * x.rs * bytes, x.rs, x.cs, x.halves};
}

}  // namespace

void crossEntropy(Precision precision, const CrossEntropy& s, float* losses, int32_t* predictions, float* lse,
                  Scratch& scratch) {
  Scratch::Frame frame(scratch);
  auto* running = scratch.array<Running>(static_cast<size_t>(s.T));
  float* logits = scratch.array<float>(static_cast<size_t>(kRowBlock * kChunk));
  for (int64_t i = 0; i < s.T; ++i) running[i] = Running{};

  for (int64_t v0 = 0; v0 < s.V; v0 += kChunk)
    for (int64_t i0 = 0; i0 < s.T; i0 += kRowBlock) {
      const int64_t n = least(kChunk, s.V - v0), rows = least(kRowBlock, s.T - i0);
      multiply(precision, rows, n, s.d, fromRow(s.x, i0), {s.packedW, s.d, 0, v0}, nullptr, logits, kChunk, scratch);
      for (int64_t r = 0; r < rows; ++r) take(running[i0 + r], v0, n, logits + r * kChunk, s.targets[i0 + r]);
    }

  for (int64_t i = 0; i < s.T; ++i) {
    const Running& row = running[i];
    const double logSum = row.top + __builtin_log(row.total);
    lse[i] = static_cast<float>(logSum);
    losses[i] = s.targets[i] < 0 ? 0.0f : static_cast<float>(logSum - row.target);
    predictions[i] = row.best;
  }
}

void crossEntropyGrad(Precision precision, const CrossEntropy& s, const float* lse, const float* dlosses, float* dx,
                      float* dW, bool accumulate, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  float* dlogits = scratch.array<float>(static_cast<size_t>(kRowBlock * kChunk));
  void* packedX = scratch.take(packedBytes(precision, s.T, s.d));
  pack(precision, s.T, s.d, s.x, packedX);

  for (int64_t v0 = 0; v0 < s.V; v0 += kChunk)
    for (int64_t i0 = 0; i0 < s.T; i0 += kRowBlock) {
      const int64_t n = least(kChunk, s.V - v0), rows = least(kRowBlock, s.T - i0);
      multiply(precision, rows, n, s.d, fromRow(s.x, i0), {s.packedW, s.d, 0, v0}, nullptr, dlogits, kChunk, scratch);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t i = i0 + r;
        gradRow(v0, n, dlogits + r * kChunk, lse[i], dlosses[i], s.targets[i]);
      }
      float *dxRows = dx + i0 * s.d, *dwRows = dW + v0 * s.d;
      multiply(precision, rows, s.d, n, {dlogits, kChunk, 1}, {s.packedWT, s.V, v0}, v0 > 0 ? dxRows : nullptr, dxRows,
               s.d, scratch);
      multiply(precision, n, s.d, rows, {dlogits, 1, kChunk}, {packedX, s.T, i0},
               accumulate || i0 > 0 ? dwRows : nullptr, dwRows, s.d, scratch);
    }
}

}  // namespace lathe::LATHE_VARIANT
