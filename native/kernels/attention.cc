// Attention, head by head over blocks of queries; the scores of a block are all that is held, unless weights are kept.
#include "attention.h"

#include "variant.h"

namespace lathe::LATHE_VARIANT {

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

// One head's attention: tops and totals are one a query. Scores are those of a block of queries, ld elements a row; so are
// `values`, what they have weighed, and `block`, their weights where none are kept.
struct Head {
  int64_t number;
  float *tops, *totals, *scores, *values;
  int32_t* block;
  int64_t ld, pitch;
};

// What query i has weighed, divided by the sum of its weights, into the output.
LATHE_INLINE void give(const Attention& s, const Head& h, int64_t i, const float* values) {
  const float share = 1.0f / h.totals[i];
  const int64_t n = s.dHeadValue, at = (i * s.nHeads + h.number) * n;
  for (int64_t c = 0; c < n; c += W) {
    const vf y = loadUpTo(values + c, n - c) * share;
    if (s.out.halves) storeHalves(static_cast<uint16_t*>(s.out.data) + at + c, y, n - c);
    else storeUpTo(static_cast<float*>(s.out.data) + at + c, y, n - c);
  }
}

LATHE_INLINE float topOf(const Scores& s, const float* products) {
  vf tops = splat(-kInfinity);
  s.each(products, [&](vf x) { tops = larger(x, tops); });
  return largest(tops);
}

// exp(score - top) of a query's keys as words, from its products with them; zeros from those it sees to `all`. Returns the sum.
template <class Kind>
LATHE_INLINE float exponentiate(const Scores& s, float top, const float* products, int64_t all, int32_t* line) {
  vf totals = {};
  s.line<Kind>(products, all, line, [&](vf x) {
    const vf e = expFlushed(x - top);
    totals += e;
    return e;
  });
  return sum(totals);
}

template <class Kind>
void attendFew(const Attention& s, const Inputs<Full>& in, const Head& h) {
  constexpr bool kRound = !std::is_same_v<Kind, Full>;
  for (int64_t i = 0; i < s.T; ++i) {
    const int64_t n = keysSeen(s, i);
    dots<kRound>(n, s.dHead, in.q.at(h.number, i), in.k.at(h.number), in.k.pitch, h.scores);
    const int64_t whole = roundUp(mostKeysSeen(s, 0, s.T), W);
    const Scores scores(s, i);
    h.tops[i] = topOf(scores, h.scores);
    h.totals[i] = exponentiate<Full>(scores, h.tops[i], h.scores, whole, reinterpret_cast<int32_t*>(h.scores));
    if (s.weights)
      storeLine<Kind>(whole, whole, weightsOf(s, h.number, i, h.pitch, h.block), [&](int64_t j) { return load(h.scores + j); });
    weigh<kRound>(n, s.dHeadValue, h.scores, in.v.at(h.number), in.v.pitch, h.values);
    give(s, h, i, h.values);
  }
}

template <class Kind>
void attendBlocks(Precision precision, const Attention& s, const Inputs<Kind>& in, const Head& h, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  const int64_t keys = keysOf(s);
  void* packedK = scratch.take(packedBytes(precision, s.dHead, keys));
  void* packedV = scratch.take(packedBytes(precision, keys, s.dHeadValue));
  pack(precision, s.dHead, keys, in.k.columns(h.number), packedK);
  pack(precision, keys, s.dHeadValue, in.v.rows(h.number), packedV);
  for (int64_t i0 = 0; i0 < s.T; i0 += kQueryBlock) {
    const int64_t rows = least(kQueryBlock, s.T - i0), n = mostKeysSeen(s, i0, rows);
    int32_t* weights = weightsOf(s, h.number, i0, h.pitch, h.block);
    multiply(precision, rows, n, s.dHead, in.q.rows(h.number, i0), {packedK, s.dHead}, nullptr, h.scores, h.ld, scratch);
    for (int64_t r = 0; r < rows; ++r) h.tops[i0 + r] = topOf({s, i0 + r}, h.scores + r * h.ld);
    for (int64_t r = 0; r < rows; ++r)
      h.totals[i0 + r] = exponentiate<Kind>({s, i0 + r}, h.tops[i0 + r], h.scores + r * h.ld, roundUp(n, W), weights + r * h.pitch);
    multiplyWords(precision, rows, s.dHeadValue, n, {weights, h.pitch, 1}, {packedV, keys}, nullptr, h.values, s.dHeadValue,
                  scratch);
    for (int64_t r = 0; r < rows; ++r) give(s, h, i0 + r, h.values + r * s.dHeadValue);
  }
}

// Logarithms of the sums of exp(scores), a query each.
void logsOf(const Attention& s, const float* tops, const float* totals, float* lse) {
  for (int64_t i = 0; i < s.T; i += W)
    storeUpTo(lse + i, loadUpTo(tops + i, s.T - i) + logOf(loadUpTo(totals + i, s.T - i)), s.T - i);
}

template <class Kind>
void attend(Precision precision, const Attention& s, Scratch& scratch) {
  const int64_t ld = roundUp(keysOf(s), 2 * W), pitch = weightsPitch(precision, s);
  const size_t rows = static_cast<size_t>(least(kQueryBlock, s.T));
  float* scores = scratch.array<float>(rows * ld);
  float* values = scratch.array<float>(rows * static_cast<size_t>(s.dHeadValue));
  int32_t* block = s.weights ? nullptr : scratch.array<int32_t>(rows * pitch);
  float* tops = scratch.array<float>(static_cast<size_t>(s.T));
  float* totals = scratch.array<float>(static_cast<size_t>(s.T));

  const auto heads = [&](auto one) {
    for (int64_t h = 0; h < s.nHeads; ++h) {
      one({h, tops, totals, scores, values, block, ld, pitch});
      if (s.lse) logsOf(s, tops, totals, s.lse + h * s.T);
      if (s.weights) map(s.T, totals, sharesOf(s) + h * s.T, [](vf total) { return 1.0f / total; });
    }
  };
  if (s.T > kFewQueries) {
    const Inputs<Kind> in(s, scratch);
    heads([&](const Head& h) { attendBlocks<Kind>(precision, s, in, h, scratch); });
  } else {
    const Inputs<Full> in(s, scratch);
    heads([&](const Head& h) { attendFew<Kind>(s, in, h); });
  }
}

}  // namespace

void attention(Precision precision, const Attention& s, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  if (precision == Precision::BF16) attend<Half>(precision, s, scratch);
  else attend<Full>(precision, s, scratch);
}

}  // namespace lathe::LATHE_VARIANT
