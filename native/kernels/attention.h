// What attention and its gradient share.
#pragma once
#include "gemm.h"
#include "math.h"
#include "rope.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

// Query rows taken at a time, so that their scores stay in L2; a multiple of kPackedStep.
constexpr int64_t kQueryBlock = 32;

// The keys that exist, and of them those that query i may see: rows [0, n).
LATHE_INLINE int64_t keysOf(const Attention& s) { return least(s.S, s.seen); }
LATHE_INLINE int64_t keysSeen(const Attention& s, int64_t i) {
  return s.causal ? least(keysOf(s), s.start + i + 1) : keysOf(s);
}

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

// How a row of products with keys becomes scores: scaled, and -inf where its query does not see the key.
struct Scores {
  int64_t seen;             // keys [0, seen)
  float scale;
  const int32_t* segments;  // of keys, or null
  int32_t own;              // the query's segment

  Scores(const Attention& s, int64_t i)
      : seen(keysSeen(s, i)), scale(s.scale), segments(s.segments), own(s.segments ? s.segments[s.start + i] : 0) {}
  int64_t whole() const { return roundUp(seen, W); }

  // f(j, scores j, j + 1, …) for j = 0, W, … whole() - W.
  template <class F>
  __attribute__((always_inline)) void each(const float* products, F f) const {
    const Scores s = *this;  // f may store what this could alias
    const auto partly = [&](int64_t j) {
      vf x = load(products + j) * s.scale;
      if (s.segments) {
        const vf theirs = loadUpTo(reinterpret_cast<const float*>(s.segments + j), s.seen - j);
        x = pick(bits(theirs) == s.own, x, splat(-kInfinity));
      }
      f(j, firstLanes(x, s.seen - j, splat(-kInfinity)));
    };
    int64_t j = 0;
    if (!s.segments)
      for (; j + W <= s.seen; j += W) f(j, load(products + j) * s.scale);
    for (; j < s.seen; j += W) partly(j);
  }
};

// Words from row to row of a head's weights; where they are kept, the room for a row is given.
LATHE_INLINE int64_t weightsPitch(Precision precision, const Attention& s) {
  const int64_t own = linePitch(precision, keysOf(s));
  return s.weights ? least(own, s.ldWeights) : own;
}
// Where the weights of head h's queries from the i-th on are kept, or a block for them.
LATHE_INLINE int32_t* weightsOf(const Attention& s, int64_t h, int64_t i, int64_t pitch, int32_t* block) {
  return s.weights ? reinterpret_cast<int32_t*>(s.weights + h * s.T * s.ldWeights) + i * pitch : block;
}

}  // namespace lathe::LATHE_VARIANT
