// The gradient of attention, after FlashAttention (Dao et al. 2022, arXiv 2205.14135, appendix B.4): the weights P were
// kept, or are computed again as exp(scores - lse); D = rowsum(dout * out), dS = P * (dP - D) * scale.
#include "attention.h"
#include "rows.h"
#include "variant.h"

namespace lathe::LATHE_VARIANT {

namespace {

float dot(int64_t n, const float* a, const float* b) {
  vf total = {};
  for (int64_t i = 0; i < n; i += W) total += loadUpTo(a + i, n - i) * loadUpTo(b + i, n - i);
  return sum(total);
}

// Scores to weights, and dP by weights to dS, in place; n is a multiple of W.
void weighScores(int64_t n, float lse, float* scores) {
  map(n, scores, scores, [&](vf x) { return expFlushed(x - lse); });
}
void gradRow(int64_t n, float meanGrad, float scale, const float* P, float* dP) {
  for (int64_t j = 0; j < n; j += W) store(dP + j, load(P + j) * (load(dP + j) - meanGrad) * scale);
}

}  // namespace

void attentionGrad(Precision precision, const Attention& s, const AttentionGrad& g, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const bool kept = s.weights != nullptr;
  const int64_t keys = keysOf(s), ld = kept ? s.ldWeights : roundUp(keys, W);
  const int64_t width = s.nHeads * s.dHead, widthV = s.nHeads * s.dHeadValue;
  TurnedHead head(s, scratch);
  void* packedKT = kept ? nullptr : scratch.take(packedBytes(precision, s.dHead, keys));
  void* packedVT = scratch.take(packedBytes(precision, s.dHeadValue, keys));
  void* packedK = scratch.take(packedBytes(precision, keys, s.dHead));
  void* packedQ = scratch.take(packedBytes(precision, s.T, s.dHead));
  void* packedDout = scratch.take(packedBytes(precision, s.T, s.dHeadValue));
  float* again = kept ? nullptr : scratch.array<float>(static_cast<size_t>(least(kQueryBlock, s.T) * ld));
  float* dS = scratch.array<float>(static_cast<size_t>(least(kQueryBlock, s.T) * ld));
  __builtin_memset(g.dk, 0, static_cast<size_t>(s.S * width) * sizeof(float));
  __builtin_memset(g.dv, 0, static_cast<size_t>(s.S * widthV) * sizeof(float));

  for (int64_t h = 0; h < s.nHeads; ++h) {
    head.load(h);
    const float *v = s.v + h * s.dHeadValue, *dout = g.dout + h * s.dHeadValue, *out = s.out + h * s.dHeadValue;
    float *dq = g.dq + h * s.dHead, *dk = g.dk + h * s.dHead, *dv = g.dv + h * s.dHeadValue;
    if (!kept) pack(precision, s.dHead, keys, {head.k, 1, head.ldk}, packedKT);
    pack(precision, s.dHeadValue, keys, {v, 1, s.ldv}, packedVT);
    pack(precision, keys, s.dHead, {head.k, head.ldk, 1}, packedK);
    pack(precision, s.T, s.dHead, {head.q, head.ldq, 1}, packedQ);
    pack(precision, s.T, s.dHeadValue, {dout, widthV, 1}, packedDout);

    for (int64_t i0 = 0; i0 < s.T; i0 += kQueryBlock) {
      const int64_t rows = least(kQueryBlock, s.T - i0);
      const int64_t n = mostKeysSeen(s, i0, rows);
      if (!kept) scoreBlock(precision, s, head, packedKT, i0, rows, again, ld, scratch);
      const float* P = kept ? s.weights + (h * s.T + i0) * ld : again;
      multiply(precision, rows, n, s.dHeadValue, {dout + i0 * widthV, widthV, 1}, {packedVT, s.dHeadValue}, dS, ld,
               false, scratch);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t i = i0 + r;
        const float meanGrad = dot(s.dHeadValue, dout + i * widthV, out + i * widthV);
        const int64_t seen = wholeKeysSeen(s, i), hidden = roundUp(n, W) - seen;
        if (!kept) {
          weighScores(seen, s.lse[h * s.T + i], again + r * ld);
          clear(hidden, again + r * ld + seen);
        }
        gradRow(seen, meanGrad, s.scale, P + r * ld, dS + r * ld);
        clear(hidden, dS + r * ld + seen);
      }
      multiply(precision, n, s.dHeadValue, rows, {P, 1, ld}, {packedDout, s.T, i0}, dv, widthV, true, scratch);
      multiply(precision, n, s.dHead, rows, {dS, 1, ld}, {packedQ, s.T, i0}, dk, width, true, scratch);
      multiply(precision, rows, s.dHead, n, {dS, ld, 1}, {packedK, keys}, dq + i0 * width, width, false, scratch);
    }
    if (s.ropeBase == 0) continue;
    rotate(head.rope, s.start, s.T, s.dHead, dq, width, dq, width, -1);
    rotate(head.rope, 0, keys, s.dHead, dk, width, dk, width, -1);
  }
}

}  // namespace lathe::LATHE_VARIANT
