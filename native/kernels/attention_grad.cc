// The gradient of attention, after FlashAttention (Dao et al. 2022, arXiv 2205.14135, appendix B.4): the weights P were
// kept, or are computed again as exp(scores - lse); D = rowsum(dout * out), dS = P * (dP - D) * scale. Kept weights are
// those before they were divided by their sum: dout takes the share in their place.
#include "attention.h"
#include "rope.h"
#include "variant.h"

namespace lathe::LATHE_VARIANT {

namespace {

// The cotangent of the output by heads, times the shares of kept weights, and D of each row, times them, too: [nHeads, T].
template <class Kind>
struct Cotangent {
  Heads<Kind> rows;
  float* meanGrads;
};

template <class Kind>
Cotangent<Kind> cotangentOf(const Attention& s, const float* dout, Scratch& scratch) {
  constexpr int64_t d = Kind::depth;
  using Value = typename Heads<Kind>::Value;
  const int64_t pitch = d == 1 ? s.dHeadValue : roundUp(s.dHeadValue, d * W);
  Value* rows = scratch.array<Value>(static_cast<size_t>(s.nHeads * s.T * pitch));
  float* meanGrads = scratch.array<float>(static_cast<size_t>(s.nHeads * s.T));
  const float* x = dout;
  const auto outAt = [&](int64_t at, int64_t n) {
    if (s.out.halves) return fromBits(widened(loadHalves(static_cast<uint16_t*>(s.out.data) + at, n)) << 16);
    const vf y = loadUpTo(static_cast<float*>(s.out.data) + at, n);
    return std::is_same_v<Kind, Full> ? y : roundBf16(y);
  };
  for (int64_t i = 0; i < s.T; ++i)
    for (int64_t h = 0; h < s.nHeads; ++h, x += s.dHeadValue) {
      const int64_t at = h * s.T + i;
      const float share = s.weights ? sharesOf(s)[at] : 1.0f;
      vf total = {};
      const auto next = [&](int64_t c) {
        const vf y = loadUpTo(x + c, s.dHeadValue - c) * share;
        total += y * outAt(x - dout + c, s.dHeadValue - c);
        return y;
      };
      for (int64_t c = 0; c < pitch; c += d * W)
        if constexpr (d == 1) storeUpTo(rows + at * pitch + c, next(c), pitch - c);
        else {
          const vf first = next(c);
          store(rows + at * pitch + c, Kind::along(first, next(c + W)));
        }
      meanGrads[at] = sum(total);
    }
  return {{rows, s.T * pitch, pitch}, meanGrads};
}

// One head's gradient [rows, cols] into its columns of the gradient of all, `ld` values a row.
void give(int64_t rows, int64_t cols, const float* x, const Output& y, int64_t column, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r, x += cols, column += ld)
    if (y.halves) round(cols, x, static_cast<uint16_t*>(y.data) + column);
    else __builtin_memcpy(static_cast<float*>(y.data) + column, x, static_cast<size_t>(cols) * sizeof(float));
}

// Rows of n keys, a row a query, as a left side whose rows are keys. Pairs are made anew, along queries, in `pairs`.
template <class Kind>
Words alongQueries(int64_t rows, int64_t n, Words A, int32_t* pairs) {
  if constexpr (Kind::depth == 1) return {A.data, 1, A.row};
  const int64_t pitch = roundUp(n, 2 * W) + W;  // an odd number of vectors: no multiple of 4 KiB
  for (int64_t r = 0; r < rows; r += 2)
    for (int64_t j = 0; j < n; j += 2 * W) {
      const int32_t* line = A.data + r * A.row + j / 2;
      vi first, second;
      zipLines(load<vi>(line), r + 1 < rows ? load<vi>(line + A.row) : vi{}, first, second);
      store(pairs + r / 2 * pitch + j, first);
      store(pairs + r / 2 * pitch + j + W, second);
    }
  return {pairs, 1, pitch};
}

// The derivative of one query's scores, of keys [0, seen), as words; zeros from there to `whole`.
template <class Kind>
LATHE_INLINE void scoresBack(int64_t seen, int64_t whole, const int32_t* weights, const float* dP, float meanGrad, float scale,
                             int32_t* dS) {
  storeLine<Kind>(roundUp(seen, W), whole, dS, [&](int64_t j) {
    return Kind::values(weights, j) * (firstLanes(load(dP + j), seen - j) - meanGrad) * scale;
  });
}

template <class Kind>
void attendBack(Precision precision, const Attention& s, const AttentionGrad& g, Scratch& scratch) {
  const bool kept = s.weights != nullptr;
  const int64_t keys = keysOf(s), ld = roundUp(keys, 2 * W), pitch = weightsPitch(precision, s), pitchS = wordsPitch(precision, keys);
  const int64_t width = s.nHeads * s.dHead, widthV = s.nHeads * s.dHeadValue;
  const size_t most = static_cast<size_t>(least(kQueryBlock, s.T));
  const Inputs<Kind> in(s, scratch);
  const auto [dout, meanGrads] = cotangentOf<Kind>(s, g.dout, scratch);
  void* packedKT = kept ? nullptr : scratch.take(packedBytes(precision, s.dHead, keys));
  void* packedVT = scratch.take(packedBytes(precision, s.dHeadValue, keys));
  void* packedK = scratch.take(packedBytes(precision, keys, s.dHead));
  void* packedQ = scratch.take(packedBytes(precision, s.T, s.dHead));
  void* packedDout = scratch.take(packedBytes(precision, s.T, s.dHeadValue));
  float* products = scratch.array<float>(most * ld);
  int32_t* again = kept ? nullptr : scratch.array<int32_t>(most * pitch);
  int32_t* dS = scratch.array<int32_t>(most * pitchS);
  const size_t pairs = Kind::depth == 2 ? (most + 1) / 2 * static_cast<size_t>(ld + W) : 0;
  int32_t *pairsOfP = scratch.array<int32_t>(pairs), *pairsOfS = scratch.array<int32_t>(pairs);
  float* dq = scratch.array<float>(static_cast<size_t>(s.T * s.dHead));
  float* dk = scratch.array<float>(static_cast<size_t>(s.S * s.dHead));
  float* dv = scratch.array<float>(static_cast<size_t>(s.S * s.dHeadValue));

  for (int64_t h = 0; h < s.nHeads; ++h) {
    __builtin_memset(dk, 0, static_cast<size_t>(s.S * s.dHead) * sizeof(float));
    __builtin_memset(dv, 0, static_cast<size_t>(s.S * s.dHeadValue) * sizeof(float));
    if (!kept) pack(precision, s.dHead, keys, in.k.columns(h), packedKT);
    pack(precision, s.dHeadValue, keys, in.v.columns(h), packedVT);
    pack(precision, keys, s.dHead, in.k.rows(h), packedK);
    pack(precision, s.T, s.dHead, in.q.rows(h), packedQ);
    pack(precision, s.T, s.dHeadValue, dout.rows(h), packedDout);

    for (int64_t i0 = 0; i0 < s.T; i0 += kQueryBlock) {
      const int64_t rows = least(kQueryBlock, s.T - i0), n = mostKeysSeen(s, i0, rows), whole = roundUp(n, W);
      int32_t* weights = weightsOf(s, h, i0, pitch, again);
      if (!kept) {
        multiply(precision, rows, n, s.dHead, in.q.rows(h, i0), {packedKT, s.dHead}, nullptr, products, ld, scratch);
        for (int64_t r = 0; r < rows; ++r) {
          const float lse = s.lse[h * s.T + i0 + r];
          Scores(s, i0 + r).line<Kind>(products + r * ld, whole, weights + r * pitch, [&](vf x) { return expFlushed(x - lse); });
        }
      }
      multiply(precision, rows, n, s.dHeadValue, dout.rows(h, i0), {packedVT, s.dHeadValue}, nullptr, products, ld, scratch);
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t* line = weights + r * pitch;
        if (kept && i0 + rows + r < s.T)  // they come from memory: asked for a block ahead
          for (int64_t j = 0; j < (whole + kQueryBlock) / Kind::depth; j += W) __builtin_prefetch(line + rows * pitch + j);
        scoresBack<Kind>(keysSeen(s, i0 + r), whole, line, products + r * ld, meanGrads[h * s.T + i0 + r], s.scale,
                         dS + r * pitchS);
      }
      const Words P = alongQueries<Kind>(rows, n, {weights, pitch, 1}, pairsOfP);
      const Words dScores = alongQueries<Kind>(rows, n, {dS, pitchS, 1}, pairsOfS);
      multiplyWords(precision, n, s.dHeadValue, rows, P, {packedDout, s.T, i0}, dv, dv, s.dHeadValue, scratch);
      multiplyWords(precision, n, s.dHead, rows, dScores, {packedQ, s.T, i0}, dk, dk, s.dHead, scratch);
      multiplyWords(precision, rows, s.dHead, n, {dS, pitchS, 1}, {packedK, keys}, nullptr, dq + i0 * s.dHead, s.dHead,
                    scratch);
    }
    if (g.turnsQ) rotate(g.turnsQ, s.T, 1, s.dHead, {dq, s.dHead, 0}, {dq, s.dHead, 0}, -1);
    if (g.turnsK) rotate(g.turnsK, keys, 1, s.dHead, {dk, s.dHead, 0}, {dk, s.dHead, 0}, -1);
    give(s.T, s.dHead, dq, g.dq, h * s.dHead, width);
    give(s.S, s.dHead, dk, g.dk, h * s.dHead, width);
    give(s.S, s.dHeadValue, dv, g.dv, h * s.dHeadValue, widthV);
  }
}

}  // namespace

void attentionGrad(Precision precision, const Attention& s, const AttentionGrad& g, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  if (precision == Precision::BF16) attendBack<Half>(precision, s, g, scratch);
  else attendBack<Full>(precision, s, g, scratch);
}

}  // namespace lathe::LATHE_VARIANT
