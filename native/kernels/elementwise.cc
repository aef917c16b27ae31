#include "simd.h"
#include "variant.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int64_t kChunk = 512;  // a few registers of it stay in L1
constexpr int kMost = 64;        // operands, constants or ops of one pass, as the lowering bounds them

template <class F>
LATHE_INLINE void zip(int64_t n, const float* a, const float* b, float* y, F f) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) storePart(y + i, f(loadPart(a + i, n - i), loadPart(b + i, n - i)), n - i);
}

void select(int64_t n, const float* condition, const float* a, const float* b, float* y) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, pick(load(condition + i) != 0.0f, load(a + i), load(b + i)));
  for (; i < n; ++i) y[i] = condition[i] != 0.0f ? a[i] : b[i];
}

void apply(int32_t code, int64_t n, const float* a, const float* b, const float* c, float* y) {
  switch (code) {
    case kAdd: return zip(n, a, b, y, [](vf p, vf q) { return p + q; });
    case kSub: return zip(n, a, b, y, [](vf p, vf q) { return p - q; });
    case kMul: return zip(n, a, b, y, [](vf p, vf q) { return p * q; });
    case kDiv: return zip(n, a, b, y, [](vf p, vf q) { return p / q; });
    case kWhere: return select(n, a, b, c, y);
    case kCopy: return map(n, a, y, [](vf v) { return v; });
    default: return unary(code, n, a, y);
  }
}

void fill(float* p, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) p[i] = value;
}

}  // namespace

void elementwise(const Elementwise& e, Scratch& scratch) {
  const int64_t chunk = least(e.cols, kChunk);
  float* spare[kMost];      // an operand that is one number along a row, repeated
  float* constants[kMost];
  float* results[kMost];
  const float* registers[2 * kMost];
  for (int i = 0; i < e.nConstants; ++i) fill(constants[i] = scratch.array<float>(chunk), chunk, e.constants[i]);
  for (int i = 0; i < e.nOperands; ++i) spare[i] = e.steps[2 * i + 1] ? nullptr : scratch.array<float>(chunk);
  for (int i = 0; i < e.nOps; ++i) {
    const int32_t write = e.ops[i].write;
    results[i] = write < 0 || e.adds[write] || e.writes[write].halves ? scratch.array<float>(chunk) : nullptr;
  }
  for (int64_t r = 0; r < e.rows; ++r) {
    for (int i = 0; i < e.nOperands; ++i)
      if (spare[i] && (r == 0 || e.steps[2 * i])) fill(spare[i], chunk, e.operands[i][r * e.steps[2 * i]]);
    for (int64_t at = 0; at < e.cols; at += chunk) {
      const int64_t n = least(chunk, e.cols - at);
      for (int i = 0; i < e.nOperands; ++i)
        registers[i] = spare[i] ? spare[i] : e.operands[i] + r * e.steps[2 * i] + at;
      for (int i = 0; i < e.nOps; ++i) {
        const ElementwiseOp& op = e.ops[i];
        const auto value = [&](int32_t k) { return k < 0 ? constants[-1 - k] : registers[k]; };
        const Output write = op.write < 0 ? Output{} : e.writes[op.write];
        float* floats = write.data ? static_cast<float*>(write.data) + r * e.cols + at : nullptr;
        float* into = results[i] ? results[i] : floats;
        const bool passes = op.code == kCopy && results[i];
        if (!passes) apply(op.code, n, value(op.a), value(op.b), value(op.c), into);
        const float* result = passes ? value(op.a) : into;
        if (write.halves) round(n, result, static_cast<uint16_t*>(write.data) + r * e.cols + at);
        else if (write.data && e.adds[op.write]) apply(kAdd, n, floats, result, nullptr, floats);
        registers[e.nOperands + i] = result;
      }
    }
  }
}

}  // namespace lathe::LATHE_VARIANT
