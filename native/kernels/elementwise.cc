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

void apply(int32_t code, int64_t n, Value a, Value b, Value c, float* y, float* slope = nullptr) {
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

void fill(float* p, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) p[i] = value;
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
    const bool own = write >= 0 && !e.adds[write] && !e.writes[write].halves;
    chunks[i] = own ? nullptr : nIdle ? idle[--nIdle] : scratch.array<float>(chunk);
  }
}

}  // namespace

void elementwise(const Elementwise& e, Scratch& scratch) {
  const int64_t chunk = least(e.cols, kChunk);
  float* spare[kMost];  // an operand that is one number along a row, repeated
  float* chunks[kMost];
  Value registers[2 * kMost], constants[kMost];
  for (int i = 0; i < e.nConstants; ++i) {
    float* repeated = scratch.array<float>(chunk);
    fill(repeated, chunk, e.constants[i]);
    constants[i] = {repeated, true};
  }
  for (int i = 0; i < e.nOperands; ++i) spare[i] = e.steps[2 * i + 1] ? nullptr : scratch.array<float>(chunk);
  shareChunks(e, chunk, scratch, chunks);
  for (int64_t r = 0; r < e.rows; ++r) {
    for (int i = 0; i < e.nOperands; ++i)
      if (spare[i] && (r == 0 || e.steps[2 * i])) fill(spare[i], chunk, e.operands[i][r * e.steps[2 * i]]);
    for (int64_t at = 0; at < e.cols; at += chunk) {
      const int64_t n = least(chunk, e.cols - at);
      for (int i = 0; i < e.nOperands; ++i)
        registers[i] = spare[i] ? Value{spare[i], true} : Value{e.operands[i] + r * e.steps[2 * i] + at, false};
      for (int i = 0; i < e.nOps; ++i) {
        const ElementwiseOp& op = e.ops[i];
        const auto value = [&](int32_t k) { return k < 0 ? constants[-1 - k] : registers[k]; };
        const auto floatsOf = [&](const Output& write) { return static_cast<float*>(write.data) + r * e.cols + at; };
        const auto destination = [&](int k) { return chunks[k] ? chunks[k] : floatsOf(e.writes[e.ops[k].write]); };
        const Output write = op.write < 0 ? Output{} : e.writes[op.write];
        float* into = destination(i);
        float* slope = i + 1 < e.nOps && e.ops[i + 1].code == kDerivative ? destination(i + 1) : nullptr;
        const bool passes = op.code == kCopy && chunks[i];
        if (!passes && op.code != kDerivative) apply(op.code, n, value(op.a), value(op.b), value(op.c), into, slope);
        const Value result = passes ? value(op.a) : Value{into, false};
        if (write.halves) round(n, result.data, static_cast<uint16_t*>(write.data) + r * e.cols + at);
        else if (write.data && e.adds[op.write]) apply(kAdd, n, {floatsOf(write), false}, result, {}, floatsOf(write));
        registers[e.nOperands + i] = result;
      }
    }
  }
}

}  // namespace lathe::LATHE_VARIANT
