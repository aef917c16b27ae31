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

// The sum of n rows of v by weight, each times `share`.
template <bool kRound>
void weigh(int64_t n, int64_t dHead, const float* weights, float share, const float* v, int64_t ldv, float* out) {
  for (int64_t c = 0; c < dHead; c += W) {
    vf total = {};
    for (int64_t j = 0; j < n; ++j) {
      const vf weight = splat(weights[j] * share);
      total += (kRound ? roundBf16(weight) : weight) * operand<kRound>(v + j * ldv + c, dHead - c);
    }
    storeUpTo(out + c, total, dHead - c);
  }
}

// One head's attention: out has ldo elements a row, tops and totals one a query. The keys of `head` are loaded. Scores
// are those of a block of queries, ld elements a row; so is `block`, for their weights where none are kept.
struct Head {
  int64_t number;
  const TurnedHead& turned;
  const float* v;
  float *out, *tops, *totals, *scores;
  int32_t* block;
  int64_t ldo, ld, pitch;
};

// Products of query i with n keys to exp(score - top), in place, zeros where it sees none; returns 1 / their sum.
LATHE_INLINE float exponentiate(const Scores& s, const Head& h, int64_t i, int64_t n, float* row) {
  vf tops = splat(-kInfinity), totals = {};
  s.each(row, [&](int64_t, vf x) { tops = larger(x, tops); });
  const float top = largest(tops);
  s.each(row, [&](int64_t j, vf x) {
    const vf e = expFlushed(x - top);
    totals += e;
    store(row + j, e);
  });
  clear(roundUp(n, W) - s.whole(), row + s.whole());
  h.tops[i] = top;
  h.totals[i] = sum(totals);
  return 1.0f / h.totals[i];
}

template <class Kind>
void keep(int64_t n, const float* row, float share, int32_t* line) {
  n = roundUp(n, W);
  storeLine<Kind>(n, n, line, [&](int64_t j) { return load(row + j) * share; });
}

template <class Kind>
void attendFew(const Attention& s, const Head& h) {
  constexpr bool kRound = !std::is_same_v<Kind, Full>;
  for (int64_t i = 0; i < s.T; ++i) {
    const int64_t n = keysSeen(s, i);
    dots<kRound>(n, s.dHead, h.turned.q + i * h.turned.ldq, h.turned.k, h.turned.ldk, h.scores);
    const int64_t most = mostKeysSeen(s, 0, s.T);
    const float share = exponentiate({s, i}, h, i, most, h.scores);
    if (s.weights) keep<Kind>(most, h.scores, share, weightsOf(s, h.number, i, h.pitch, h.block));
    weigh<kRound>(n, s.dHeadValue, h.scores, share, h.v, s.ldv, h.out + i * h.ldo);
  }
}

template <class Kind>
void attendBlocks(Precision precision, const Attention& s, const Head& h, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const int64_t keys = keysOf(s);
  void* packedK = scratch.take(packedBytes(precision, s.dHead, keys));
  void* packedV = scratch.take(packedBytes(precision, keys, s.dHeadValue));
  pack(precision, s.dHead, keys, {h.turned.k, 1, h.turned.ldk}, packedK);
  pack(precision, keys, s.dHeadValue, {h.v, s.ldv, 1}, packedV);
  for (int64_t i0 = 0; i0 < s.T; i0 += kQueryBlock) {
    const int64_t rows = least(kQueryBlock, s.T - i0), n = mostKeysSeen(s, i0, rows);
    int32_t* weights = weightsOf(s, h.number, i0, h.pitch, h.block);
    multiply(precision, rows, n, s.dHead, {h.turned.q + i0 * h.turned.ldq, h.turned.ldq, 1}, {packedK, s.dHead}, nullptr,
             h.scores, h.ld, scratch);
    for (int64_t r = 0; r < rows; ++r) {
      float* row = h.scores + r * h.ld;
      keep<Kind>(n, row, exponentiate({s, i0 + r}, h, i0 + r, n, row), weights + r * h.pitch);
    }
    multiplyLines(precision, rows, s.dHeadValue, n, {weights, h.pitch}, false, {packedV, keys}, nullptr,
                  h.out + i0 * h.ldo, h.ldo, scratch);
  }
}

template <class Kind>
void attend(Precision precision, const Attention& s, Scratch& scratch) {
  const int64_t ld = roundUp(keysOf(s), 2 * W), ldo = s.nHeads * s.dHeadValue, pitch = weightsPitch(precision, s);
  const size_t rows = static_cast<size_t>(least(kQueryBlock, s.T));
  TurnedHead head(s, scratch);
  float* scores = scratch.array<float>(rows * ld);
  int32_t* block = s.weights ? nullptr : scratch.array<int32_t>(rows * pitch);
  float* tops = scratch.array<float>(static_cast<size_t>(s.T));
  float* totals = scratch.array<float>(static_cast<size_t>(s.T));

  for (int64_t h = 0; h < s.nHeads; ++h) {
    head.load(h);
    const Head one = {h, head, s.v + h * s.dHeadValue, s.out + h * s.dHeadValue, tops, totals, scores, block, ldo, ld, pitch};
    if (s.T > kFewQueries) attendBlocks<Kind>(precision, s, one, scratch);
    else attendFew<Kind>(s, one);
    if (!s.lse) continue;
    float* own = s.lse + h * s.T;
    for (int64_t i = 0; i < s.T; i += W)
      storeUpTo(own + i, loadUpTo(tops + i, s.T - i) + logOf(loadUpTo(totals + i, s.T - i)), s.T - i);
  }
}

}  // namespace

void attention(Precision precision, const Attention& s, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  if (precision == Precision::BF16) attend<Half>(precision, s, scratch);
  else attend<Full>(precision, s, scratch);
}

}  // namespace lathe::LATHE_VARIANT
