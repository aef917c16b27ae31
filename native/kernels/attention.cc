// Attention, head by head over blocks of queries; the scores of a block are all that is held, unless weights are kept.
#include "attention.h"

#include "rows.h"
#include "variant.h"

namespace lathe::LATHE_VARIANT {

TurnedHead::TurnedHead(const Attention& s, Scratch& scratch) : ldq(s.ldq), ldk(s.ldk), s_(s) {
  if (s.ropeBase == 0) return;
  rope = makeRope(s.ropeBase, s.dHead, s.positions ? s.S : most(s.S, s.start + s.T), s.positions, scratch);
  turnedQ_ = scratch.array<float>(static_cast<size_t>(s.T * s.dHead));
  turnedK_ = scratch.array<float>(static_cast<size_t>(keysOf(s) * s.dHead));
  ldq = ldk = s.dHead;
}

void TurnedHead::load(int64_t head) {
  q = s_.q + head * s_.dHead;
  k = s_.k + head * s_.dHead;
  if (s_.ropeBase == 0) return;
  rotate(rope, s_.start, s_.T, s_.dHead, q, s_.ldq, turnedQ_, ldq, 1);
  rotate(rope, 0, keysOf(s_), s_.dHead, k, s_.ldk, turnedK_, ldk, 1);
  q = turnedQ_;
  k = turnedK_;
}

namespace {

// Scales products of query rows [i0, i0 + rows) with keys, and masks them.
void finishScores(const Attention& s, int64_t i0, int64_t rows, float* scores, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r, scores += ld) {
    const int64_t seen = keysSeen(s, i0 + r), whole = roundUp(seen, W), last = whole - W;
    map(whole, scores, scores, [&](vf v) { return v * s.scale; });
    store(scores + last, firstLanes(load(scores + last), seen - last, splat(-kInfinity)));
    if (s.segments)
      for (int64_t j = 0, own = s.segments[s.start + i0 + r]; j < seen; ++j)
        scores[j] = s.segments[j] == own ? scores[j] : -kInfinity;
  }
}

// Up to so many queries, as in decoding, read keys and values where they stand: packing them for one query takes longer
// than all else. Ours; only one query was timed.
constexpr int64_t kFewQueries = 4;

template <bool kRound>
LATHE_INLINE vf operand(const float* p, int64_t n) {
  const vf x = loadUpTo(p, n);
  return kRound ? roundBf16(x) : x;
}

// Products of one query with n keys.
template <bool kRound>
void dots(int64_t n, int64_t dHead, const float* q, const float* k, int64_t ldk, float* scores) {
  for (int64_t j = 0; j < n; ++j, k += ldk) {
    vf total = {};
    for (int64_t c = 0; c < dHead; c += W) total += operand<kRound>(q + c, dHead - c) * operand<kRound>(k + c, dHead - c);
    scores[j] = sum(total);
  }
}

// The sum of n rows of v by weight.
template <bool kRound>
void weigh(int64_t n, int64_t dHead, const float* weights, const float* v, int64_t ldv, float* out) {
  for (int64_t c = 0; c < dHead; c += W) {
    vf total = {};
    for (int64_t j = 0; j < n; ++j) {
      const vf weight = splat(weights[j]);
      total += (kRound ? roundBf16(weight) : weight) * operand<kRound>(v + j * ldv + c, dHead - c);
    }
    storeUpTo(out + c, total, dHead - c);
  }
}

}  // namespace

void scoreBlock(Precision precision, const Attention& s, const TurnedHead& head, const void* packedKeys, int64_t i0,
                int64_t rows, float* scores, int64_t ld, Scratch& scratch) {
  multiply(precision, rows, mostKeysSeen(s, i0, rows), s.dHead, {head.q + i0 * head.ldq, head.ldq, 1},
           {packedKeys, s.dHead}, scores, ld, false, scratch);
  finishScores(s, i0, rows, scores, ld);
}

namespace {

// One head's attention: out has ldo elements a row, tops and totals one a query. The keys of `head` are loaded. Scores
// are those of a block of queries; weights are those of all, or null. Both have ld elements a row.
struct Head {
  const TurnedHead& turned;
  const float* v;
  float *out, *tops, *totals, *scores, *weights;
  int64_t ldo, ld;
};

template <bool kRound>
void attendFew(const Attention& s, const Head& h) {
  const int64_t most = roundUp(mostKeysSeen(s, 0, s.T), W);
  for (int64_t i = 0; i < s.T; ++i) {
    const int64_t n = keysSeen(s, i), whole = roundUp(n, W);
    float* weights = h.weights ? h.weights + i * h.ld : h.scores;
    dots<kRound>(n, s.dHead, h.turned.q + i * h.turned.ldq, h.turned.k, h.turned.ldk, weights);
    finishScores(s, i, 1, weights, h.ld);
    const RowSum row = softmaxRow(whole, weights, weights);
    clear(most - whole, weights + whole);
    h.tops[i] = row.top;
    h.totals[i] = row.total;
    weigh<kRound>(n, s.dHeadValue, weights, h.v, s.ldv, h.out + i * h.ldo);
  }
}

void attendBlocks(Precision precision, const Attention& s, const Head& h, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const int64_t keys = keysOf(s);
  void* packedK = scratch.take(packedBytes(precision, s.dHead, keys));
  void* packedV = scratch.take(packedBytes(precision, keys, s.dHeadValue));
  pack(precision, s.dHead, keys, {h.turned.k, 1, h.turned.ldk}, packedK);
  pack(precision, keys, s.dHeadValue, {h.v, s.ldv, 1}, packedV);
  for (int64_t i0 = 0; i0 < s.T; i0 += kQueryBlock) {
    const int64_t rows = least(kQueryBlock, s.T - i0);
    const int64_t n = mostKeysSeen(s, i0, rows);
    float* weights = h.weights ? h.weights + i0 * h.ld : h.scores;
    scoreBlock(precision, s, h.turned, packedK, i0, rows, weights, h.ld, scratch);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t seen = wholeKeysSeen(s, i0 + r);
      const RowSum row = softmaxRow(seen, weights + r * h.ld, weights + r * h.ld);
      clear(roundUp(n, W) - seen, weights + r * h.ld + seen);
      h.tops[i0 + r] = row.top;
      h.totals[i0 + r] = row.total;
    }
    multiply(precision, rows, s.dHeadValue, n, {weights, h.ld, 1}, {packedV, keys}, h.out + i0 * h.ldo, h.ldo, false,
             scratch);
  }
}

}  // namespace

void attention(Precision precision, const Attention& s, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const int64_t ld = s.weights ? s.ldWeights : roundUp(keysOf(s), W), ldo = s.nHeads * s.dHeadValue;
  TurnedHead head(s, scratch);
  float* scores = s.weights ? nullptr : scratch.array<float>(static_cast<size_t>(least(kQueryBlock, s.T) * ld));
  float* tops = scratch.array<float>(static_cast<size_t>(s.T));
  float* totals = scratch.array<float>(static_cast<size_t>(s.T));

  for (int64_t h = 0; h < s.nHeads; ++h) {
    head.load(h);
    float* weights = s.weights ? s.weights + h * s.T * ld : nullptr;
    const Head one = {head, s.v + h * s.dHeadValue, s.out + h * s.dHeadValue, tops, totals, scores, weights, ldo, ld};
    if (s.T > kFewQueries) attendBlocks(precision, s, one, scratch);
    else if (precision == Precision::BF16) attendFew<true>(s, one);
    else attendFew<false>(s, one);
    if (!s.lse) continue;
    float* own = s.lse + h * s.T;
    for (int64_t i = 0; i < s.T; i += W)
      storeUpTo(own + i, loadUpTo(tops + i, s.T - i) + logOf(loadUpTo(totals + i, s.T - i)), s.T - i);
  }
}

}  // namespace lathe::LATHE_VARIANT
