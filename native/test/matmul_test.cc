#include "check.h"

namespace lathe::test {

namespace {

struct Case {
  int64_t M, N, K;
  bool aAcross, bAcross;                // stored transposed
  int64_t step = 1;                     // distance of neighbours in memory
  bool aHalves = false, bHalves = false;  // of bf16
};

// A logical [rows, cols] matrix in memory as a case asks for it.
struct Stored {
  Floats memory;
  Guarded<uint16_t> halves;
  Strided view;
  Stored(const std::vector<float>& logical, int64_t rows, int64_t cols, bool across, int64_t step, bool asHalves)
      : memory(asHalves ? 0 : (rows * cols - 1) * step + 1), halves(asHalves ? rows * cols : 0),
        view{memory.data(), across ? step : cols * step, across ? rows * step : step, asHalves} {
    if (asHalves) view.data = halves.data();
    for (int64_t i = 0; i < memory.size(); ++i) memory[i] = NAN;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) {
        const int64_t at = i * view.rs + j * view.cs;
        const float value = logical[i * cols + j];
        if (asHalves) halves[at] = bf16Bits(value);
        else memory[at] = value;
      }
  }
};

enum class From { Zeros, C, Other };

// A pass over the product in the same call, (C + row) * matrix, once beside a C that is kept and once without: the same
// bits as in two calls.
void checkThen(const Kernels& kernels, Precision precision, const Case& c, Strided A, const void* packed,
               const std::string& what) {
  const int64_t M = c.M, N = c.N;
  Random random(static_cast<uint64_t>(M + N));
  Floats row(random.floats(N)), matrix(random.floats(M * N)), C(M * N), once(M * N), want(M * N);
  Guarded<uint16_t> rounded(M * N), halves(M * N);
  for (int64_t i = 0; i < M * N; ++i) halves[i] = bf16Bits(matrix[i]), matrix[i] = static_cast<float>(toBf16(matrix[i]));
  const ElementwiseOp ops[] = {{kAdd, -1, 0, 1, 0}, {kMul, 0, 3, 2, 0}, {kCopy, 1, 4, 0, 0}};
  const Input operands[] = {{nullptr, false}, {row.data(), false}, {halves.data(), true}};
  const int64_t steps[] = {-1, -1, 0, 1, N, 1};
  const bool adds[] = {false, false};
  UsedScratch scratch;
  for (const bool kept : {true, false}) {
    const Output writes[] = {{once.data(), false}, {rounded.data(), true}};
    const Elementwise then = {precision, M, N, 3, 3, 0, 2, operands, steps, ops, nullptr, writes, adds};
    kernels.matmul(precision, M, N, c.K, A, packed, nullptr, kept ? C.data() : nullptr, N, &then, scratch);
    if (kept)
      for (int64_t i = 0; i < M * N; ++i) want[i] = (C[i] + row[i % N]) * matrix[i];
    check(once.same(want), "%s: what follows differs from two calls%s", what.c_str(), kept ? "" : ", C not kept");
    check(areHalvesOf(rounded, once), "%s: what follows is not rounded right", what.c_str());
  }
}

void runCase(const Kernels& kernels, Precision precision, const Case& c, uint64_t seed) {
  const auto [M, N, K, aAcross, bAcross, step, aHalves, bHalves] = c;
  Random random(seed);
  const std::vector<float> a = random.floats(M * K), b = random.floats(K * N);
  const auto kind = [](bool across, bool halves) {
    return text("%s%s", across ? "columns" : "rows", halves ? " of halves" : "");
  };
  const std::string what = text("%s matmul %s M %d, N %d, K %d, A %s, B %s, step %d", kernels.name, nameOf(precision),
                                int(M), int(N), int(K), kind(aAcross, aHalves).c_str(), kind(bAcross, bHalves).c_str(),
                                int(step));
  Doubles aUsed(a.begin(), a.end()), bUsed(b.begin(), b.end());
  for (double& x : aUsed) x = operand(precision, x);
  for (double& x : bUsed) x = operand(precision, x);

  Stored A(a, M, K, aAcross, step, aHalves), B(b, K, N, bAcross, step, bHalves);
  Guarded<char> packed(kernels.packedBytes(precision, K, N));
  kernels.pack(precision, K, N, B.view, packed.data());

  const From from = std::array{From::Zeros, From::C, From::Other}[seed % 3];
  const int64_t ldc = N + static_cast<int64_t>(seed / 3 % 3);
  Floats C((M - 1) * ldc + N), again(C.size()), other(C.size());
  for (int64_t i = 0; i < C.size(); ++i) C[i] = again[i] = random.uniform(), other[i] = random.uniform();
  Floats& start = from == From::C ? C : other;
  Doubles want(M * N), gaps;
  double squaredTerms = 0;
  for (int64_t i = 0; i < M; ++i) {
    double* row = want.data() + i * N;
    for (int64_t j = 0; j < N; ++j) row[j] = from == From::Zeros ? 0 : start[i * ldc + j];
    for (int64_t k = 0; k < K; ++k)
      for (int64_t j = 0; j < N; ++j) {
        const double term = aUsed[i * K + k] * bUsed[k * N + j];
        row[j] += term;
        squaredTerms += term * term;
      }
    if (i + 1 < M)
      for (int64_t j = N; j < ldc; ++j) gaps.push_back(C[i * ldc + j]);
  }

  const auto multiply = [&](Floats& into, Scratch& scratch) {
    const float* at = from == From::Zeros ? nullptr : from == From::C ? into.data() : other.data();
    kernels.matmul(precision, M, N, K, A.view, packed.data(), at, into.data(), ldc, nullptr, scratch);
  };
  UsedScratch scratch, taken;
  multiply(C, scratch);
  taken.take(64);
  multiply(again, taken);
  check(C.same(again), "%s: two runs differ", what.c_str());

  std::vector<float> got;
  bool gapsKept = true;
  size_t gap = 0;
  for (int64_t i = 0; i < M; ++i) {
    for (int64_t j = 0; j < N; ++j) got.push_back(C[i * ldc + j]);
    if (i + 1 < M)
      for (int64_t j = N; j < ldc; ++j) gapsKept &= C[i * ldc + j] == gaps[gap++];
  }
  check(gapsKept, "%s: wrote beside a row of C", what.c_str());
  // Products of bf16 values are exact in f32, so that only the sums may differ.
  checkClose(got.data(), want, tolerance(Precision::F32, double(K)), what, squaredTerms);
  if (seed % 2 == 0) checkThen(kernels, precision, c, A.view, packed.data(), what);
}

// One NaN or infinity in A reaches its row of C and no other.
void specials(const Kernels& kernels, Precision precision) {
  const int64_t M = 5, N = 7, K = 40;
  for (const float special : {NAN, INFINITY}) {
    Random random(3);
    Floats A(random.floats(M * K)), B(std::vector<float>(K * N, 0.5f)), C(M * N);
    uint32_t signalling = 0x7f800001;  // a NaN that rounding by addition alone would turn into infinity
    if (std::isnan(special)) std::memcpy(&A[2 * K + 39], &signalling, 4);
    else A[2 * K + 39] = special;
    Guarded<char> packed(kernels.packedBytes(precision, K, N));
    kernels.pack(precision, K, N, {B.data(), N, 1}, packed.data());
    UsedScratch scratch;
    kernels.matmul(precision, M, N, K, {A.data(), K, 1}, packed.data(), nullptr, C.data(), N, nullptr, scratch);
    for (int64_t i = 0; i < M; ++i)
      for (int64_t j = 0; j < N; ++j) {
        const float c = C[i * N + j];
        const bool right = i != 2 ? std::isfinite(c) : std::isnan(special) ? std::isnan(c) : c == INFINITY;
        check(right, "%s matmul %s: %g in row 2 of A makes C[%d, %d] %g", kernels.name, nameOf(precision), special,
              int(i), int(j), c);
      }
  }
}

}  // namespace

void testMatmul(const Kernels& kernels) {
  const int64_t sizes[] = {1, 2, 3, 5, 16, 17, 31, 32, 33, 64, 100, 133};
  uint64_t seed = 0;
  for (const Precision precision : kPrecisions) {
    for (const int64_t M : sizes)
      for (const int64_t N : sizes)
        for (const int64_t K : sizes) {
          ++seed;
          runCase(kernels, precision, {M, N, K, seed / 2 % 2 == 1, seed / 4 % 2 == 1}, seed * 7 / 5);
        }
    for (int layout = 0; layout < 4; ++layout) {
      const bool aAcross = layout & 1, bAcross = layout & 2;
      runCase(kernels, precision, {40, 70, 700, aAcross, bAcross}, ++seed);
      runCase(kernels, precision, {300, 50, 1000, aAcross, bAcross}, ++seed);
      runCase(kernels, precision, {19, 37, 45, aAcross, bAcross, 3}, ++seed);
      runCase(kernels, precision, {1, 600, 513, aAcross, bAcross}, ++seed);
      runCase(kernels, precision, {47, 520, 37, aAcross, bAcross}, ++seed);
      runCase(kernels, precision, {20, 70, 1024, aAcross, bAcross}, ++seed);
    }
    runCase(kernels, precision, {1100, 260, 130, true, false}, ++seed);
    if (precision == Precision::BF16)
      for (const int64_t M : {1, 32, 33, 59, 64, 133})
        for (const int64_t N : {1, 32, 47, 96})
          for (const int64_t K : {32, 33, 96, 2048})
            for (int form = 0; form < 16; ++form) {
              const Case c = {M, N, K, bool(form & 1), bool(form & 2), 1, bool(form & 4), bool(form & 8)};
              const int64_t rowOfA = c.aAcross ? M : K, rowOfB = c.bAcross ? K : N;
              if ((c.aHalves && rowOfA % 32) || (c.bHalves && rowOfB % 32) || M * N * K > 5e6) continue;
              if (c.aHalves || c.bHalves) runCase(kernels, precision, c, ++seed);
            }
    specials(kernels, precision);
  }
}

}  // namespace lathe::test
