#include "simd.h"
#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kChunk = 256;  // a dozen registers of it stay in L1
constexpr int kMost = 64;        // operands, constants or ops of one pass, as the lowering bounds them

// What an op reads: a chunk of values, of which all are alike where it is `one`.
struct Value {
  const float* data;
  bool one;
};

template <class F>
LATHE_INLINE void zip(int64_t n, Value a, Value b, float* y, F f) {
  if (b.one) return map(n, a.data, y, [&, second = splat(*b.data)](vf p) { return f(p, second); });
  if (a.one) return map(n, b.data, y, [&, first = splat(*a.data)](vf q) { return f(first, q); });
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(a.data + i), load(b.data + i)));
  if (i < n) storePart(y + i, f(loadPart(a.data + i, n - i), loadPart(b.data + i, n - i)), n - i);
}

void select(int64_t n, const float* condition, const float* a, const float* b, float* y) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, pick(load(condition + i) != 0.0f, load(a + i), load(b + i)));
  for (; i < n; ++i) y[i] = condition[i] != 0.0f ? a[i] : b[i];
}

void apply(int32_t code, int64_t n, Value a, Value b, Value c, float* y, Output slope) {
  switch (code) {
    case kAdd: return zip(n, a, b, y, [](vf p, vf q) { return p + q; });
    case kSub: return zip(n, a, b, y, [](vf p, vf q) { return p - q; });
    case kMul: return zip(n, a, b, y, [](vf p, vf q) { return p * q; });
    case kDiv: return zip(n, a, b, y, [](vf p, vf q) { return p / q; });
    case kWhere: return select(n, a.data, b.data, c.data, y);
    case kCopy: return map(n, a.data, y, [](vf v) { return v; });
    default: return unary(code, n, a.data, y, slope);
  }
}

void add(int64_t n, Value x, float* y) {
  zip(n, {y, false}, x, y, [](vf p, vf q) { return p + q; });
}

void fill(float* p, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) p[i] = value;
}

void widen(int64_t n, const uint16_t* x, float* y) {
  for (int64_t i = 0; i < n; i += W) storeUpTo(y + i, fromBits(widened(loadHalves(x + i, n - i)) << 16), n - i);
}

// A chunk of memory for each result that has none of its own, shared by those that are not needed at the same time.
void shareChunks(const Elementwise& e, int64_t chunk, Scratch& scratch, float** chunks) {
  int last[kMost];  // the op that reads a result last, or what may be the same memory, a copy of it
  for (int i = e.nOps - 1; i >= 0; --i) {
    last[i] = i;
    for (int j = i + 1; j < e.nOps; ++j)
      for (int32_t k : {e.ops[j].a, e.ops[j].b, e.ops[j].c})
        if (k == e.nOperands + i) last[i] = static_cast<int>(most(last[i], e.ops[j].code == kCopy ? last[j] : j));
  }
  float* idle[kMost];
  int nIdle = 0;
  for (int i = 0; i < e.nOps; ++i) {
    for (int j = 0; j < i; ++j)
      if (chunks[j] && last[j] == i) idle[nIdle++] = chunks[j];
    const int32_t write = e.ops[i].write;
    const bool halves = write >= 0 && e.writes[write].halves, own = write >= 0 && !e.adds[write] && !halves;
    const bool unread = e.precision == Precision::BF16 && halves && e.ops[i].code == kDerivative && last[i] == i;
    chunks[i] = own || unread ? nullptr : nIdle ? idle[--nIdle] : scratch.array<float>(chunk);
  }
}

}  // namespace

void elementwise(const Elementwise& e, Scratch& scratch) {
  const int64_t chunk = least(e.cols, kChunk);
  float* spare[kMost];  // an operand that is one number along a row, repeated, or of halves
  float* chunks[kMost];
  Value registers[2 * kMost], constants[kMost];
  for (int i = 0; i < e.nConstants; ++i) {
    float* repeated = scratch.array<float>(chunk);
    fill(repeated, chunk, e.constants[i]);
    constants[i] = {repeated, true};
  }
  const auto isOne = [&](int i) { return e.steps[2 * i + 1] == 0; };
  for (int i = 0; i < e.nOperands; ++i) spare[i] = isOne(i) || e.operands[i].halves ? scratch.array<float>(chunk) : nullptr;
  shareChunks(e, chunk, scratch, chunks);
  uint16_t* rounded = e.precision == Precision::BF16 ? scratch.array<uint16_t>(chunk) : nullptr;  // a derivative
  for (int64_t r = 0; r < e.rows; ++r) {
    const auto floats = [&](int i) { return static_cast<const float*>(e.operands[i].data) + r * e.steps[2 * i]; };
    const auto halves = [&](int i) { return static_cast<const uint16_t*>(e.operands[i].data) + r * e.steps[2 * i]; };
    for (int i = 0; i < e.nOperands; ++i)
      if (isOne(i) && (r == 0 || e.steps[2 * i])) fill(spare[i], chunk, *floats(i));
    for (int64_t at = 0; at < e.cols; at += chunk) {
      const int64_t n = least(chunk, e.cols - at);
      for (int i = 0; i < e.nOperands; ++i) {
        if (e.operands[i].halves) widen(n, halves(i) + at, spare[i]);
        registers[i] = spare[i] ? Value{spare[i], isOne(i)} : Value{floats(i) + at, false};
      }
      const auto at0 = r * e.cols + at;
      const auto writeOf = [&](int i) { return e.ops[i].write < 0 ? Output{} : e.writes[e.ops[i].write]; };
      const auto floatsOf = [&](const Output& write) { return write.halves ? nullptr : static_cast<float*>(write.data) + at0; };
      const auto halvesOf = [&](const Output& write) { return static_cast<uint16_t*>(write.data) + at0; };
      const auto destination = [&](int i) { return chunks[i] ? chunks[i] : floatsOf(writeOf(i)); };
      Output slope = {};
      for (int i = 0; i < e.nOps; ++i) {
        const ElementwiseOp& op = e.ops[i];
        const auto value = [&](int32_t k) { return k < 0 ? constants[-1 - k] : registers[k]; };
        const Output write = writeOf(i);
        float* into = destination(i);
        const bool passes = op.code == kCopy && chunks[i], derives = op.code == kDerivative;
        if (derives) {
          if (slope.halves && into) widen(n, static_cast<uint16_t*>(slope.data), into);
        } else if (!passes) {
          const bool both = i + 1 < e.nOps && e.ops[i + 1].code == kDerivative;
          if (!both) slope = {};
          else if (!rounded) slope = {destination(i + 1), false};
          else slope = {writeOf(i + 1).halves ? halvesOf(writeOf(i + 1)) : rounded, true};
          apply(op.code, n, value(op.a), value(op.b), value(op.c), into, slope);
        }
        const Value result = passes ? value(op.a) : Value{into, false};
        if (write.halves && !(derives && rounded)) round(n, result.data, halvesOf(write));
        else if (write.data && e.adds[op.write]) add(n, result, floatsOf(write));
        registers[e.nOperands + i] = result;
      }
    }
  }
}

}  // namespace lathe::LATHE_VARIANT
