#include "check.h"

namespace lathe::test {

namespace {

constexpr double kRoot = 0.79788456080286535588;  // sqrt(2 / pi)
double argument(double x) { return kRoot * (x + 0.044715 * x * x * x); }
// 1 + tanh of GELU's argument, without cancellation.
double plusOf(double x) { return 2 / (1 + std::exp(-2 * argument(x))); }

double exact(int32_t kind, double x) {
  const double s = 1 / (1 + std::exp(-x));
  switch (kind) {
    case kNeg: return -x;
    case kExp: return std::exp(x);
    case kLog: return std::log(x);
    case kSqrt: return std::sqrt(x);
    case kReciprocal: return 1 / x;
    case kSquare: return x * x;
    case kAbs: return std::fabs(x);
    case kRelu: return x > 0 || std::isnan(x) ? x : 0;
    case kStep: return std::isnan(x) ? x : x > 0;
    case kGelu: return 0.5 * x * plusOf(x);
    case kSigmoid: return s;
    case kSilu: return x * s;
    case kSoftplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    default: return std::tanh(x);
  }
}

double exactSlope(int32_t kind, double x) {
  if (kind == kSilu) return exact(kSigmoid, x) * (1 + x / (1 + std::exp(x)));
  const double square = plusOf(x) * 2 / (1 + std::exp(2 * argument(x)));  // 1 - tanh^2
  return 0.5 * plusOf(x) + 0.5 * x * square * kRoot * (1 + 3 * 0.044715 * x * x);
}

const char* const kNames[] = {"neg",  "exp",  "log",     "sqrt", "reciprocal", "square", "abs",
                              "relu", "step", "gelu", "sigmoid", "silu", "softplus",   "tanh"};

// Relative to the value; where a tail vanishes, the gated functions are allowed a small absolute error, and a sigmoid
// may be 0 for what is below the normal numbers.
bool close(int32_t kind, bool slope, float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(want)) return std::isnan(got);
  if (got == rounded) return true;
  const bool gated = kind == kGelu || slope;
  const double tail = gated ? 2e-7 : kind == kSilu ? 1e-36 : kind == kSigmoid ? 0x1p-126 : 3e-45;
  const double allowed = 4e-7 * std::fabs(want) + tail;
  const double off = std::fabs(got - want);
  if (std::isfinite(off) && std::isfinite(want) && off / allowed > worst) worst = off / allowed;
  return off <= allowed;
}

}  // namespace

void testUnary(const Kernels& kernels) {
  std::vector<float> values = {0.0f, -0.0f, 1, -1, 1e-45f, -1e-45f, 1e-38f, 1e-30f, -1e-30f, 3e38f, -3e38f, NAN};
  for (float x = -110; x < 110; x += 0.0137f) values.push_back(x);
  for (float x = 1e-42f; x < 1e38f; x *= 1.37f) {
    values.push_back(x);
    values.push_back(-x);
  }
  for (float x = 0.5f; x < 2; x += 0.00031f) values.push_back(x);
  for (float x = 88; x < 89; x += 0.01f) values.push_back(x);
  for (int32_t kind = kNeg; kind <= kTanh; ++kind) {
    Floats x(values), y(x.size());
    kernels.unary(kind, x.size(), x.data(), y.data(), {});
    for (size_t i = 0; i < values.size(); ++i) {
      const double want = exact(kind, values[i]);
      check(close(kind, false, y[i], want), "%s unary %s(%.9g) = %.9g, not %.9g", kernels.name, kNames[kind], values[i], y[i],
            want);
    }
    kernels.unary(kind, x.size(), x.data(), x.data(), {});
    check(x.same(y), "%s unary %s: in place differs", kernels.name, kNames[kind]);
    for (const int64_t n : {1, 2, 3, 5, 16, 17, 31, 33}) {
      Floats part(std::vector<float>(values.begin() + 700, values.begin() + 700 + n)), out(n);
      kernels.unary(kind, n, part.data(), out.data(), {});
      check(std::memcmp(out.data(), &y[700], size_t(n) * sizeof(float)) == 0, "%s unary %s: %d values differ from many",
            kernels.name, kNames[kind], int(n));
    }
  }
  for (const int32_t kind : {kGelu, kSilu}) {
    Floats x(values), alone(x.size()), y(x.size()), slope(x.size());
    kernels.unary(kind, x.size(), x.data(), alone.data(), {});
    kernels.unary(kind, x.size(), x.data(), y.data(), {slope.data(), false});
    for (size_t i = 0; i < values.size(); ++i) {
      const double want = exactSlope(kind, values[i]);
      check(close(kind, true, slope[i], want), "%s unary %s'(%.9g) = %.9g, not %.9g", kernels.name, kNames[kind], values[i],
            slope[i], want);
      check(y[i] == alone[i] || std::isnan(values[i]), "%s unary %s(%.9g): another value beside the derivative", kernels.name,
            kNames[kind], values[i]);
    }
    Floats ends(std::vector<float>{INFINITY, -INFINITY}), endValues(2), endSlopes(2);
    kernels.unary(kind, 2, ends.data(), endValues.data(), {endSlopes.data(), false});
    check(endSlopes[0] == 1 && endSlopes[1] == 0, "%s unary %s': %g and %g at the ends", kernels.name, kNames[kind], endSlopes[0], endSlopes[1]);
    Guarded<uint16_t> halves(x.size());
    kernels.unary(kind, x.size(), x.data(), alone.data(), {halves.data(), true});
    for (int64_t i = 0; i < x.size(); ++i)  // products, too, take what is below the normal numbers as 0
      check(std::isnan(slope[i]) || std::fabs(slope[i]) < 0x1p-126f || halves[i] == bf16Bits(slope[i]),
            "%s unary %s'(%.9g): as bf16 %x, not %.9g", kernels.name, kNames[kind], x[i], halves[i], slope[i]);
    kernels.unary(kind, x.size(), x.data(), x.data(), {alone.data(), false});
    check(x.same(y) && alone.same(slope), "%s unary %s: in place beside its derivative differs", kernels.name, kNames[kind]);
  }
  const struct {
    int32_t kind;
    float x, y;
  } limits[] = {{kExp, INFINITY, INFINITY},  {kExp, -INFINITY, 0},        {kLog, INFINITY, INFINITY},
                {kLog, 0, -INFINITY},        {kLog, -INFINITY, NAN},      {kSqrt, INFINITY, INFINITY},
                {kSqrt, -1, NAN},            {kReciprocal, INFINITY, 0},  {kReciprocal, 0, INFINITY},
                {kSigmoid, INFINITY, 1},     {kSigmoid, -INFINITY, 0},    {kTanh, INFINITY, 1},
                {kTanh, -INFINITY, -1},      {kSoftplus, INFINITY, INFINITY}, {kSoftplus, -INFINITY, 0},
                {kGelu, INFINITY, INFINITY}, {kSilu, INFINITY, INFINITY}, {kRelu, INFINITY, INFINITY}, {kRelu, -INFINITY, 0},
                {kStep, INFINITY, 1},        {kAbs, -INFINITY, INFINITY}, {kNeg, INFINITY, -INFINITY}};
  for (const auto& limit : limits) {
    Floats x(std::vector<float>{limit.x}), y(1);
    kernels.unary(limit.kind, 1, x.data(), y.data(), {});
    check(std::isnan(limit.y) ? std::isnan(y[0]) : y[0] == limit.y, "%s unary %s(%g) = %g, not %g", kernels.name,
          kNames[limit.kind], limit.x, y[0], limit.y);
  }
}

}  // namespace lathe::test
