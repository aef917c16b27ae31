// What attention and its gradient share.
#pragma once
#include <type_traits>

#include "gemm.h"
#include "math.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

// Query rows taken at a time, so that their scores stay in L2; a multiple of kPackedStep.
constexpr int64_t kQueryBlock = 32;

// The keys that exist, and of them those that query i may see: rows [0, n).
LATHE_INLINE int64_t keysOf(const Attention& s) { return least(s.S, s.seen); }
LATHE_INLINE int64_t keysSeen(const Attention& s, int64_t i) {
  return s.causal ? least(keysOf(s), s.start + i + 1) : keysOf(s);
}

// A matrix as heads, each an operand of products: `head` values from one to the next, `pitch` from row to row.
template <class Kind>
struct Heads {
  static constexpr bool kHalves = Kind::depth == 2;
  using Value = std::conditional_t<kHalves, uint16_t, float>;
  const Value* data;
  int64_t head, pitch;

  const Value* at(int64_t h, int64_t row = 0) const { return data + h * head + row * pitch; }
  Strided rows(int64_t h, int64_t row = 0) const { return {at(h, row), pitch, 1, kHalves}; }
  Strided columns(int64_t h) const { return {at(h), 1, pitch, kHalves}; }
};

// Copies heads of halves, row by row, so that x is read from end to end.
template <class Kind>
void spread(int64_t rows, int64_t nHeads, int64_t dHead, const Strided& x, int64_t pitch, typename Heads<Kind>::Value* y) {
  constexpr int64_t n = Kind::depth * W;
  const auto each = [&](auto copy) {
    const auto* from = static_cast<const uint16_t*>(x.data);
    for (int64_t r = 0; r < rows; ++r, from += x.rs)
      for (int64_t h = 0; h < nHeads; ++h) copy(from + h * dHead, y + (h * rows + r) * pitch);
  };
  if constexpr (Kind::depth == 1) {
    each([&](const uint16_t* from, float* to) {
      for (int64_t i = 0; i < dHead; i += W)
        storeUpTo(to + i, fromBits(widened(loadHalves(from + i, dHead - i)) << 16), dHead - i);
    });
  } else if (dHead % n == 0) {
    each([&](const uint16_t* from, uint16_t* to) {
      for (int64_t i = 0; i < dHead; i += n) store(to + i, load<vi>(from + i));
    });
  } else if (dHead == W) {  // half a line, as in most of the tasks: nothing to ask about its end
    each([&](const uint16_t* from, uint16_t* to) { store(to, load<vh>(from)), store(to + W, vh{}); });
  } else {
    each([&](const uint16_t* from, uint16_t* to) {
      for (int64_t i = 0; i < pitch; i += W) store(to + i, loadHalves(from + i, dHead - i));
    });
  }
}

// The heads that lie side by side in x. Where pairs are wanted, or halves given, they are made anew.
template <class Kind>
Heads<Kind> headsOf(int64_t rows, int64_t nHeads, int64_t dHead, const Strided& x, Scratch& scratch) {
  const auto* from = static_cast<const float*>(x.data);
  if constexpr (Kind::depth == 1)
    if (!x.halves) return {from, dHead, x.rs};
  const int64_t pitch = Heads<Kind>::kHalves ? roundUp(dHead, 2 * W) : dHead;
  auto* y = scratch.array<typename Heads<Kind>::Value>(static_cast<size_t>(rows * nHeads * pitch));
  if (x.halves) {
    spread<Kind>(rows, nHeads, dHead, x, pitch, y);
  } else if constexpr (Kind::depth == 2) {
    for (int64_t r = 0; r < rows; ++r, from += x.rs) {
      const FloatSide<Kind> side = {from, dHead, 1};
      uint16_t* to = y + r * pitch;
      for (int64_t h = 0; h < nHeads; ++h, to += rows * pitch)
        if (dHead == W)
          store(to, Kind::along(load(side.data + h * W), vf{}));
        else
          for (int64_t i = 0; i < pitch; i += 2 * W) store(to + i, side.along(h, i, dHead - i));
    }
  }
  return {y, rows * pitch, pitch};
}

// What the products of an attention begin with.
template <class Kind>
struct Inputs {
  Heads<Kind> q, k, v;
  Inputs(const Attention& s, Scratch& scratch)
      : q(headsOf<Kind>(s.T, s.nHeads, s.dHead, s.q, scratch)),
        k(headsOf<Kind>(keysOf(s), s.nHeads, s.dHead, s.k, scratch)),
        v(headsOf<Kind>(keysOf(s), s.nHeads, s.dHeadValue, s.v, scratch)) {}
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

  // f of the scores, W at a time.
  template <class F>
  LATHE_MEMBER void each(const float* products, F f) const {
    int64_t j = 0;
    if (!segments)
      for (; j + W <= seen; j += W) f(load(products + j) * scale);
    for (; j < seen; j += W) f(last(products, j));
  }

  // f of all scores as a line of words; zeros from whole() to `all`.
  template <class Kind, class F>
  LATHE_MEMBER void line(const float* products, int64_t all, int32_t* to, F f) const {
    constexpr int64_t n = Kind::depth * W;
    const Scores s = *this;  // f's words could alias it
    const int64_t plain = s.segments ? 0 : s.seen / n * n;
    storeLine<Kind>(plain, plain, to, [&](int64_t j) { return f(load(products + j) * s.scale); });
    storeLine<Kind>(s.whole() - plain, all - plain, to + plain / Kind::depth,
                    [&](int64_t j) { return f(s.last(products, plain + j)); });
  }

 private:
  // Scores j, j + 1, … of which not all need be seen.
  LATHE_MEMBER vf last(const float* products, int64_t j) const {
    vf x = load(products + j) * scale;
    if (segments) {
      const vf theirs = loadUpTo(reinterpret_cast<const float*>(segments + j), seen - j);
      x = pick(bits(theirs) == own, x, splat(-kInfinity));
    }
    return firstLanes(x, seen - j, splat(-kInfinity));
  }
};

// Words from row to row of a head's weights; where they are kept, the room for a row is given.
LATHE_INLINE int64_t weightsPitch(Precision precision, const Attention& s) {
  const int64_t own = wordsPitch(precision, keysOf(s));
  return s.weights ? least(own, s.ldWeights) : own;
}
// What they are to be multiplied with, where they are kept: a number a query, after all weights.
LATHE_INLINE float* sharesOf(const Attention& s) { return s.weights + s.nHeads * s.T * s.ldWeights; }
// Where the weights of head h's queries from the i-th on are kept, or a block for them.
LATHE_INLINE int32_t* weightsOf(const Attention& s, int64_t h, int64_t i, int64_t pitch, int32_t* block) {
  return s.weights ? reinterpret_cast<int32_t*>(s.weights + h * s.T * s.ldWeights) + i * pitch : block;
}

}  // namespace lathe::LATHE_VARIANT
