#include "check.h"

namespace lathe::test {

namespace {

struct Case {
  int64_t T, S, start, nHeads, dHead, dHeadValue;
  bool causal, turned, segments;
};

// A [rows, heads * width] matrix of doubles.
struct Matrix {
  int64_t width;
  Doubles data;
  Matrix(int64_t rows, int64_t width) : width(width), data(rows * width) {}
  double* row(int64_t i) { return data.data() + i * width; }
};

struct Right {
  Matrix out, lse, dq, dk, dv;
  double squaredDq = 0, squaredDk = 0;  // of the terms before dP - D cancels
};

constexpr double kBase = 10000;

// Turns (or turns back) one head of a row in place.
void turn(double* x, int64_t dHead, double position, double base, double direction) {
  const int64_t half = dHead / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double angle = direction * position * std::pow(base, -double(i) / double(half));
    const double a = x[i], b = x[half + i];
    x[i] = a * std::cos(angle) - b * std::sin(angle);
    x[half + i] = a * std::sin(angle) + b * std::cos(angle);
  }
}

double dot(int64_t n, const double* a, const double* b) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += a[i] * b[i];
  return total;
}

double valueOf(const Strided& m, int64_t row, int64_t column) {
  return static_cast<const float*>(m.data)[row * m.rs + column];
}

// Rows of heads turned back, row r as one at position start + r.
void turnBack(Matrix& m, int64_t rows, int64_t dHead, int64_t start) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t at = 0; at < m.width; at += dHead) turn(m.row(r) + at, dHead, double(start + r), kBase, -1);
}

// `kept`: whether the gradient's operands are weights before they are divided by their sum, and dout divided by it.
Right naive(Precision precision, const Attention& s, const float* dout, bool kept) {
  const int64_t T = s.T, S = s.S, H = s.nHeads, width = H * s.dHead, widthV = H * s.dHeadValue;
  Right right = {{T, widthV}, {H, T}, {T, width}, {S, width}, {S, widthV}, 0, 0};
  Matrix q(T, width), k(S, width), v(S, widthV), d(T, widthV);
  const auto round = [&](Matrix& m) {
    for (double& x : m.data) x = operand(precision, x);
  };
  for (int64_t i = 0; i < T; ++i) {
    for (int64_t c = 0; c < width; ++c) q.row(i)[c] = valueOf(s.q, i, c);
    for (int64_t c = 0; c < widthV; ++c) d.row(i)[c] = dout[i * widthV + c];
  }
  for (int64_t j = 0; j < S; ++j) {
    for (int64_t c = 0; c < width; ++c) k.row(j)[c] = valueOf(s.k, j, c);
    for (int64_t c = 0; c < widthV; ++c) v.row(j)[c] = valueOf(s.v, j, c);
  }
  round(q), round(k), round(v);

  for (int64_t h = 0; h < H; ++h)
    for (int64_t i = 0; i < T; ++i) {
      const double* qi = q.row(i) + h * s.dHead;
      double* di = d.row(i) + h * s.dHeadValue;
      double* out = right.out.row(i) + h * s.dHeadValue;
      Doubles p(S);
      double top = -INFINITY, total = 0;
      const auto seen = [&](int64_t j) {
        return j < s.start + T && (!s.causal || j <= s.start + i) &&
               (!s.segments || s.segments[j] == s.segments[s.start + i]);
      };
      for (int64_t j = 0; j < S; ++j) {
        p[j] = seen(j) ? s.scale * dot(s.dHead, qi, k.row(j) + h * s.dHead) : -INFINITY;
        top = std::fmax(top, p[j]);
      }
      for (double& x : p) total += x = std::exp(x - top);
      right.lse.row(h)[i] = top + std::log(total);
      for (int64_t j = 0; j < S; ++j)
        for (int64_t c = 0; c < s.dHeadValue; ++c)
          out[c] += operand(precision, p[j]) * v.row(j)[h * s.dHeadValue + c] / total;
      for (double& x : p) x = operand(precision, kept ? x : x / total);
      for (int64_t c = 0; c < s.dHeadValue; ++c) di[c] /= kept ? total : 1;
      double meanGrad = 0;
      for (int64_t c = 0; c < s.dHeadValue; ++c) meanGrad += di[c] * operand(precision, out[c]);
      for (int64_t c = 0; c < s.dHeadValue; ++c) di[c] = operand(precision, di[c]);
      for (int64_t j = 0; j < S; ++j) {
        const double dP = dot(s.dHeadValue, di, v.row(j) + h * s.dHeadValue);
        const double dS = operand(precision, p[j] * (dP - meanGrad) * s.scale);
        for (int64_t c = 0; c < s.dHeadValue; ++c)
          right.dv.row(j)[h * s.dHeadValue + c] += p[j] * di[c];
        const double terms = p[j] * (std::fabs(dP) + std::fabs(meanGrad)) * s.scale, squared = terms * terms;
        right.squaredDq += squared * dot(s.dHead, k.row(j) + h * s.dHead, k.row(j) + h * s.dHead);
        right.squaredDk += squared * dot(s.dHead, qi, qi);
        for (int64_t c = 0; c < s.dHead; ++c) {
          right.dq.row(i)[h * s.dHead + c] += dS * k.row(j)[h * s.dHead + c];
          right.dk.row(j)[h * s.dHead + c] += dS * qi[c];
        }
      }
    }
  return right;
}

void runCase(const Kernels& kernels, Precision precision, const Case& c, uint64_t seed) {
  Random random(seed);
  const int64_t width = c.nHeads * c.dHead, widthV = c.nHeads * c.dHeadValue;
  // Queries, keys and values as columns of one matrix, or each by itself.
  const bool joined = c.T == c.S && seed % 2;
  const int64_t ld = 2 * width + widthV;
  Floats all(random.floats(joined ? c.T * ld : 0));
  Floats q(random.floats(joined ? 0 : c.T * width)), k(random.floats(joined ? 0 : c.S * width));
  Floats v(random.floats(joined ? 0 : c.S * widthV)), dout(random.floats(c.T * widthV));
  Floats out(c.T * widthV), lse(c.nHeads * c.T);
  Floats dq(c.T * width), dk(c.S * width), dv(c.S * widthV);
  Ints segments(c.segments ? c.S : 0);
  const int64_t segment = c.S / 3 + 1;
  for (int64_t i = 0; i < segments.size(); ++i) segments[i] = static_cast<int32_t>(i / segment);

  Attention s = {};
  s.T = c.T, s.S = c.S, s.nHeads = c.nHeads, s.dHead = c.dHead, s.dHeadValue = c.dHeadValue;
  s.causal = c.causal;
  s.scale = 2 / std::sqrt(static_cast<float>(c.dHead));
  s.start = c.start;
  s.seen = c.start + c.T;
  s.segments = c.segments ? segments.data() : nullptr;
  s.q = joined ? Strided{all.data(), ld, 1} : Strided{q.data(), width, 1};
  s.k = joined ? Strided{all.data() + width, ld, 1} : Strided{k.data(), width, 1};
  s.v = joined ? Strided{all.data() + 2 * width, ld, 1} : Strided{v.data(), widthV, 1};
  s.out = {out.data(), false}, s.lse = lse.data();

  const std::string what =
      text("%s attention %s T %d, S %d, start %d, %d heads of %d and %d%s%s%s", kernels.name, nameOf(precision),
           int(c.T), int(c.S), int(c.start), int(c.nHeads), int(c.dHead), int(c.dHeadValue), c.causal ? ", causal" : "",
           c.turned ? ", turned back" : "", c.segments ? ", segments" : "");
  const Right right = naive(precision, s, dout.data(), false);
  UsedScratch scratch;
  kernels.attention(precision, s, scratch);
  const double allowed = tolerance(precision, double(c.dHead + c.S));
  checkClose(out.data(), right.out.data, allowed, what + ", out");
  checkClose(lse.data(), right.lse.data, allowed, what + ", lse");

  const int64_t pairs = c.dHead / 2;
  Floats turnsQ(c.turned ? c.T * 2 * pairs : 0), turnsK(c.turned ? c.S * 2 * pairs : 0);
  if (c.turned) kernels.ropeTable(kBase, c.start, nullptr, c.T, pairs, turnsQ.data(), scratch);
  if (c.turned) kernels.ropeTable(kBase, 0, nullptr, c.S, pairs, turnsK.data(), scratch);
  const auto gradient = [&](Output dq, Output dk, Output dv) {
    const AttentionGrad g = {dout.data(), dq, dk, dv, c.turned ? turnsQ.data() : nullptr, c.turned ? turnsK.data() : nullptr};
    scratch.reset();
    kernels.attentionGrad(precision, s, g, scratch);
  };
  const auto checkGrad = [&](Right right, const std::string& how) {
    if (c.turned) turnBack(right.dq, c.T, c.dHead, c.start), turnBack(right.dk, c.S, c.dHead, 0);
    gradient({dq.data(), false}, {dk.data(), false}, {dv.data(), false});
    checkClose(dv.data(), right.dv.data, allowed, what + how + ", dv");
    checkClose(dq.data(), right.dq.data, allowed, what + how + ", dq", right.squaredDq);
    checkClose(dk.data(), right.dk.data, allowed, what + how + ", dk", right.squaredDk);
  };
  checkGrad(right, "");
  s.ldWeights = (c.S + 15) / 16 * 16;
  Floats weights(c.nHeads * c.T * (s.ldWeights + 1));
  Floats outKept(out.size());
  s.weights = weights.data(), s.lse = nullptr, s.out = {outKept.data(), false};
  scratch.reset();
  kernels.attention(precision, s, scratch);
  check(outKept.same(out), "%s: weights kept change what comes out", what.c_str());
  checkGrad(naive(precision, s, dout.data(), true), ", weights kept");
  Floats dq2(dq.size()), dv2(dv.size());
  Guarded<uint16_t> dk2(dk.size());
  gradient({dq2.data(), false}, {dk2.data(), true}, {dv2.data(), false});
  check(dq.same(dq2) && areHalvesOf(dk2, dk) && dv.same(dv2), "%s: two runs differ", what.c_str());
  if (precision == Precision::F32) return;
  Guarded<uint16_t> outHalves(out.size());
  s.out = {outHalves.data(), true};
  scratch.reset();
  kernels.attention(precision, s, scratch);
  check(areHalvesOf(outHalves, out), "%s: rounded, something else comes out", what.c_str());
  gradient({dq2.data(), false}, {dk2.data(), true}, {dv2.data(), false});
  check(dq.same(dq2) && areHalvesOf(dk2, dk) && dv.same(dv2), "%s: of what was rounded, the gradient differs", what.c_str());
  s.out = {outKept.data(), false};
  if (joined || width % 32 || widthV % 32) return;

  Guarded<uint16_t> qHalves(q.size()), kHalves(k.size()), vHalves(v.size());
  const auto rounded = [](Floats& x, Guarded<uint16_t>& y) {
    for (int64_t i = 0; i < x.size(); ++i) y[i] = bf16Bits(x[i]);
    return y.data();
  };
  s.q = {rounded(q, qHalves), width, 1, true}, s.k = {rounded(k, kHalves), width, 1, true};
  s.v = {rounded(v, vHalves), widthV, 1, true};
  scratch.reset();
  kernels.attention(precision, s, scratch);
  check(outKept.same(out), "%s: of halves, something else comes out", what.c_str());
  gradient({dq2.data(), false}, {dk2.data(), true}, {dv2.data(), false});
  check(dq.same(dq2) && areHalvesOf(dk2, dk) && dv.same(dv2), "%s: of halves, the gradient differs", what.c_str());
}

void runRope(const Kernels& kernels, int64_t T, int64_t nHeads, int64_t dHead, int64_t start, uint64_t seed) {
  Random random(seed);
  const int64_t width = nHeads * dHead, pairs = dHead / 2;
  Floats x(random.floats(T * width)), y(T * width), back(T * width), table(T * 2 * pairs), again(T * 2 * pairs);
  Ints positions(T);
  Doubles right(T * width);
  for (int64_t i = 0; i < T * width; ++i) right[i] = x[i];
  for (int64_t t = 0; t < T; ++t) {
    positions[t] = static_cast<int32_t>(start + t);
    for (int64_t h = 0; h < nHeads; ++h) turn(right.data() + t * width + h * dHead, dHead, double(start + t), kBase, 1);
  }
  const std::string what =
      text("%s rope of %d rows from %d, %d heads of %d", kernels.name, int(T), int(start), int(nHeads), int(dHead));
  UsedScratch scratch;
  kernels.ropeTable(kBase, start, nullptr, T, pairs, table.data(), scratch);
  kernels.ropeTable(kBase, 0, positions.data(), T, pairs, again.data(), scratch);
  check(table.same(again), "%s: another table by positions", what.c_str());
  kernels.rope(table.data(), T, nHeads, dHead, 1, x.data(), {y.data(), false}, scratch);
  checkClose(y.data(), right, tolerance(Precision::F32, 2), what);
  Guarded<uint16_t> halves(T * width);
  kernels.rope(table.data(), T, nHeads, dHead, 1, x.data(), {halves.data(), true}, scratch);
  check(areHalvesOf(halves, y), "%s: rounded it differs", what.c_str());
  for (int64_t i = 0; i < T * width; ++i) right[i] = x[i];
  kernels.rope(table.data(), T, nHeads, dHead, -1, y.data(), {back.data(), false}, scratch);
  checkClose(back.data(), right, tolerance(Precision::F32, 4), what + ", turned back");
}

}  // namespace

void testAttention(const Kernels& kernels) {
  const int64_t lengths[] = {1, 2, 3, 5, 16, 17, 33, 64, 70, 133}, widths[] = {1, 2, 3, 8, 16, 32, 64, 128};
  for (const int64_t dHead : widths)
    for (const int64_t T : {1, 2, 7}) runRope(kernels, T, 1 + T % 3, dHead, 1000 * (dHead % 3), 31 * T + dHead);
  for (const Precision precision : kPrecisions) {
    uint64_t seed = 0;
    for (const int64_t dHead : widths)
      for (const int64_t T : lengths) {
        Random random(++seed);
        const bool segments = seed % 3 == 0;
        const int64_t dHeadValue = seed % 4 ? dHead : random.of(widths);
        runCase(kernels, precision, {T, T, 0, 1 + random.below(3), dHead, dHeadValue, seed % 7 < 4, seed % 2 == 0,
                                     segments}, seed);
      }
    const Case others[] = {
        {1, 40, 39, 2, 16, 16, true, true, false},    // decoding: one query, keys from earlier calls
        {1, 700, 650, 3, 17, 9, true, false, true},
        {4, 70, 60, 2, 32, 16, false, true, true},
        {1, 64, 20, 2, 16, 16, true, true, false},     // room for more keys than there are
        {7, 50, 30, 1, 8, 8, true, true, true},
        {5, 90, 85, 3, 32, 16, false, false, false},  // a memory bank larger than the sequence
        {40, 6, 0, 2, 8, 24, false, false, false},    // and a smaller one
        {200, 200, 0, 1, 256, 256, true, true, false},
        {1100, 1100, 0, 1, 3, 5, true, true, false},
        {33, 1200, 1100, 1, 16, 16, true, true, true},
        {2, 40, 30, 2, 16, 32, true, false, true},    // of halves, too, as the next
        {20, 24, 0, 4, 8, 24, false, false, false},
    };
    for (const Case& c : others) runCase(kernels, precision, c, ++seed);
  }
}

}  // namespace lathe::test
