// What attention and its gradient share: the scores of a block of queries.
#pragma once
#include "gemm.h"
#include "rope.h"

namespace lathe::LATHE_VARIANT {

// Query rows taken at a time, so that their scores stay in L2; a multiple of kPackedStep.
constexpr int64_t kQueryBlock = 32;

// The keys that exist, and of them those that query i may see: rows [0, n).
LATHE_INLINE int64_t keysOf(const Attention& s) { return least(s.S, s.seen); }
LATHE_INLINE int64_t keysSeen(const Attention& s, int64_t i) {
  return s.causal ? least(keysOf(s), s.start + i + 1) : keysOf(s);
}

// In whole vectors.
LATHE_INLINE int64_t wholeKeysSeen(const Attention& s, int64_t i) { return roundUp(keysSeen(s, i), W); }

// The queries and keys of one head, turned where the attention has RoPE.
class TurnedHead {
 public:
  TurnedHead(const Attention&, Scratch&);
  void load(int64_t head);  // points q and k at this head

  const float *q = nullptr, *k = nullptr;
  int64_t ldq, ldk;
  Rope rope;

 private:
  const Attention& s_;
  float *turnedQ_ = nullptr, *turnedK_ = nullptr;
};

// The most keys that any of query rows [i0, i0 + rows) may see.
LATHE_INLINE int64_t mostKeysSeen(const Attention& s, int64_t i0, int64_t rows) { return keysSeen(s, i0 + rows - 1); }

// Scaled scores of query rows [i0, i0 + rows) against packed keys [dHead, keys]; ld is a multiple of W. A row has
// wholeKeysSeen scores, -inf where a key is not seen; beyond them it is unsaid.
void scoreBlock(Precision, const Attention&, const TurnedHead&, const void* packedKeys, int64_t i0, int64_t rows,
                float* scores, int64_t ld, Scratch&);

}  // namespace lathe::LATHE_VARIANT
