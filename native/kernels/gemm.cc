// Matrix products on vectors: B in panels of kPanel columns, C in blocks of kRows x kPanel that stay in registers.
// Packed B is [N / kPanel][words of K][kPanel]; packed A is [M][words of K], or of a
// transpose [M / rows][words of K][rows].
#include "gemm.h"

#include "variant.h"
#include "words.h"

#if defined(LATHE_DOT_BF16)
#include <immintrin.h>
#endif

namespace lathe::LATHE_VARIANT {

namespace {

// As many accumulators as the registers hold beside one row of B and a value of A.
#if defined(__AVX512F__)
constexpr int kRows = 14;
#elif defined(__aarch64__)
constexpr int kRows = 12;
#else
constexpr int kRows = 6;
#endif
constexpr int kPanel = 2 * W;
constexpr int kWays = 8;                       // of L1, at the least
constexpr int64_t kBlockWords = 256;           // words of K whose B panel stays in L1
constexpr int kLine = 16;                      // words of a line of cache
constexpr int64_t kPage = 1024;                // words of 4 KiB
constexpr int64_t kBlockBytes = 256 * 1024;    // of A, so that it stays in L2
constexpr int64_t kPartRows = (64 / kRows + 1) * kRows;  // of C, so that what follows finds them in L2
static_assert(kPackedStep % kPanel == 0);

template <class Kind>
LATHE_INLINE vf fma(int32_t a, vi b, vf c) {
  if constexpr (Kind::depth == 1) {
    float x;
    __builtin_memcpy(&x, &a, 4);
    return c + x * fromBits(b);
  }
#if defined(LATHE_DOT_BF16)
  else return (vf)_mm512_dpbf16_ps((__m512)c, (__m512bh)splat(a), (__m512bh)b);
#endif
}

struct Block {
  int64_t words, rs, cs;  // of A, in words
  const int32_t *a, *b;
  const float* from;  // where C's values begin, or null
  float* c;
  int64_t ldc, cols;  // cols <= kPanel
};

template <class Kind, int R, int kVectors>
void microKernel(const Block& s) {
  vf acc[R][kVectors] = {};
  const int32_t *a = s.a, *b = s.b;
  const int64_t rs = s.rs, cs = s.cs;
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; j += kLine / W) __builtin_prefetch(s.c + i * s.ldc + j * W, 1);
  for (int64_t k = s.words; k > 0; --k) {
    vi row[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) row[j] = load<vi>(b + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[i][j] = fma<Kind>(a[i * rs], row[j], acc[i][j]);
    a += cs;
    b += kPanel;
  }
  if (s.cols == kVectors * W) {
    const float* from = s.from;
    float* c = s.c;
    const int64_t ldc = s.ldc;
    if (from) {
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) acc[i][j] += load(from + i * ldc + j * W);
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) store(c + i * ldc + j * W, acc[i][j]);
    return;
  }
  float block[R][kVectors * W];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(block[i] + j * W, acc[i][j]);
  for (int i = 0; i < R; ++i) {
    const int64_t at = i * s.ldc;
    for (int64_t j = 0; j < s.cols; ++j) s.c[at + j] = s.from ? s.from[at + j] + block[i][j] : block[i][j];
  }
}

template <class Kind, int... r>
LATHE_INLINE void runBlock(int64_t rows, const Block& block, std::integer_sequence<int, r...>) {
  static constexpr void (*half[])(const Block&) = {microKernel<Kind, r + 1, 1>...};
  static constexpr void (*whole[])(const Block&) = {microKernel<Kind, r + 1, 2>...};
  (block.cols <= W ? half : whole)[rows - 1](block);
}

// Rows of A in blocks of at most kRows, nearly equal.
struct Split {
  int64_t rows, blocks;
  int64_t start(int64_t block) const { return block * rows / blocks; }
  int64_t count(int64_t block) const { return start(block + 1) - start(block); }
};

LATHE_INLINE int64_t pitchOfWords(int64_t words) { return (ceilDiv(words, W) | 1) * W; }

// Whether the left side's words are read where they stand, of products with N columns. f32 words are, but for scattered
// ones: transposed rows of wide products, or of less wide ones where each word of K is in another page (measured on AVX2);
// and, where more rows are taken at a time than L1 has ways, for crowded ones: other rows of wide products (measured on
// AVX-512), or any a multiple of 4 KiB apart.
LATHE_INLINE bool standing(const FloatSide<Full>& A, int64_t N) {
  const bool crowded = kRows > kWays && A.line != 1 && (N >= 256 || (A.line % kPage == 0 && N > kPanel));
  const bool scattered = A.line == 1 && (N >= 512 || (N >= 256 && A.step >= kPage));
  return !crowded && !scattered;
}
// So are pairs that lie in lines, but for crowded ones.
LATHE_INLINE bool standing(const HalfSide<Pairs>& A, int64_t N) {
  return A.line != 1 && (A.line % (2 * kPage) != 0 || N <= kPanel);
}
template <class Kind>
LATHE_INLINE bool standing(const WordSide<Kind>&, int64_t) { return true; }
template <class Side>
LATHE_INLINE bool standing(const Side&, int64_t) { return false; }

// A block's surplus lanes are overwritten by its next word of K, and the last ones are not written.
template <class Side>
void packAcross(const Side A, int64_t m0, Split all, int64_t K, int64_t words, int32_t* packed) {
  for (int64_t kw = 0; kw < words; ++kw)
    for (int64_t block = 0; block < all.blocks; ++block) {
      const int64_t r0 = all.start(block), R = all.count(block), room = (words - kw) * R;
      int32_t* to = packed + r0 * words + kw * R;
      for (int64_t i = 0; i < R; i += W) {
        const int64_t k = kw * Side::Kind::depth;
        const vi x = A.across(m0 + r0 + i, k, K - k, all.rows - r0 - i);
        if (i + W <= room) store(to + i, x);
        else storePart(to + i, x, least(W, R - i));
      }
    }
}

// Rows as they stand, each of `pitch` words.
template <class Side>
void packAlong(const Side A, int64_t m0, int64_t rows, int64_t K, int64_t pitch, int32_t* packed) {
  constexpr int64_t d = Side::Kind::depth;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < K; k += d * W) store(packed + r * pitch + k / d, A.along(m0 + r, k, K - k));
}

template <class Side>
void multiplyAs(int64_t M, int64_t N, int64_t K, const Side A, PackedB B, const float* from, float* C, int64_t ldc,
                const Elementwise* then, Scratch& scratch) {
  using Kind = typename Side::Kind;
  constexpr int d = Kind::depth;
  const int64_t words = ceilDiv(K, d), panelWords = ceilDiv(B.rows, d) * kPanel;
  const auto* packedB = static_cast<const int32_t*>(B.data) + B.col0 / kPanel * panelWords + B.row0 / d * kPanel;
  const bool stands = standing(A, N), across = !stands && A.line == 1;
  const int64_t pitch = across ? words : pitchOfWords(words);

  Scratch::Frame frame(scratch);
  const int64_t mostRows = least(then ? least(M, kPartRows) : M, most(kBlockBytes / (4 * words), 4 * kRows));
  const int64_t pitchC = C ? ldc : roundUp(N, kPackedStep);
  float* part = C ? nullptr : scratch.array<float>(static_cast<size_t>(mostRows * pitchC));
  int32_t* packedA = stands ? nullptr : scratch.array<int32_t>(static_cast<size_t>(mostRows * pitch + 2 * W));

  for (int64_t m0 = 0; m0 < M; m0 += mostRows) {
    const int64_t rows = least(mostRows, M - m0);
    const Split all = {rows, ceilDiv(rows, kRows)};
    float* c = C ? C + m0 * ldc : part;
    if (across) packAcross(A, m0, all, K, words, packedA);
    else if (!stands) packAlong(A, m0, rows, K, pitch, packedA);
    for (int64_t n0 = 0; n0 < N; n0 += kPanel) {
      const int32_t* panel = packedB + n0 / kPanel * panelWords;
      for (int64_t k0 = 0; k0 < words; k0 += kBlockWords)
        for (int64_t block = 0; block < all.blocks; ++block) {
          const int64_t r0 = all.start(block), R = all.count(block);
          Block s;
          s.words = least(kBlockWords, words - k0);
          if (stands) {
            s.rs = A.lineWords(), s.cs = A.step;
            s.a = reinterpret_cast<const int32_t*>(A.data) + (m0 + r0) * s.rs + k0 * s.cs;
          } else {
            s.rs = across ? 1 : pitch, s.cs = across ? R : 1;
            s.a = packedA + r0 * pitch + k0 * s.cs;
          }
          s.b = panel + k0 * kPanel;
          s.c = c + r0 * pitchC + n0;
          s.from = k0 > 0 ? s.c : from ? from + (s.c - C) : nullptr;
          s.ldc = pitchC;
          s.cols = least(kPanel, N - n0);
          runBlock<Kind>(R, s, std::make_integer_sequence<int, kRows>{});
        }
    }
    if (then) follow(*then, m0, rows, c, pitchC, scratch);
  }
}

}  // namespace

void follow(const Elementwise& then, int64_t m0, int64_t rows, const float* c, int64_t ldc, Scratch& scratch) {
  Scratch::Frame frame(scratch);
  Elementwise part = then;
  Input* operands = scratch.array<Input>(part.nOperands);
  int64_t* steps = scratch.array<int64_t>(2 * part.nOperands);
  Output* writes = scratch.array<Output>(part.nWrites);
  const auto bytes = [](int64_t values, bool halves) { return values * (halves ? 2 : 4); };
  operands[0] = {c, false};
  steps[0] = ldc, steps[1] = 1;
  for (int i = 1; i < part.nOperands; ++i) {
    const auto [data, halves] = then.operands[i];
    operands[i] = {static_cast<const char*>(data) + bytes(m0 * then.steps[2 * i], halves), halves};
    steps[2 * i] = then.steps[2 * i], steps[2 * i + 1] = then.steps[2 * i + 1];
  }
  for (int i = 0; i < part.nWrites; ++i) {
    const auto [data, halves] = then.writes[i];
    writes[i] = {static_cast<char*>(data) + bytes(m0 * part.cols, halves), halves};
  }
  part.rows = rows;
  part.operands = operands, part.steps = steps, part.writes = writes;
  elementwise(part, scratch);
}

size_t packedBytes(Precision precision, int64_t K, int64_t N) {
#if defined(LATHE_TILES)
  if (precision == Precision::BF16) return packedBytesTiles(K, N);
#endif
  const int64_t words = ceilDiv(K, precision == Precision::BF16 ? Half::depth : 1);
  return static_cast<size_t>(words * roundUp(N, kPanel)) * 4;
}

void pack(Precision precision, int64_t K, int64_t N, Strided B, void* packed) {
  auto* words = static_cast<int32_t*>(packed);
  const auto panels = [&](const auto& side) {
    packPanels<kPanel>(side, K, N, ceilDiv(K, std::decay_t<decltype(side)>::Kind::depth), words);
  };
  if (precision == Precision::F32) return panels(FloatSide<Full>{static_cast<const float*>(B.data), B.cs, B.rs});
#if defined(LATHE_TILES)
  packTiles(K, N, B, packed);
#else
  withSide<Half>(B, B.cs, B.rs, panels);
#endif
}

void multiply(Precision precision, int64_t M, int64_t N, int64_t K, Strided A, PackedB B, const float* from, float* C,
              int64_t ldc, Scratch& scratch, const Elementwise* then) {
  const auto with = [&](const auto& side) { multiplyAs(M, N, K, side, B, from, C, ldc, then, scratch); };
  if (precision == Precision::F32) return with(FloatSide<Full>{static_cast<const float*>(A.data), A.rs, A.cs});
#if defined(LATHE_TILES)
  multiplyTiles(M, N, K, A, B, from, C, ldc, scratch, then);
#else
  withSide<Half>(A, A.rs, A.cs, with);
#endif
}

int64_t wordsPitch(Precision precision, int64_t K) {
  return pitchOfWords(ceilDiv(K, precision == Precision::BF16 ? Half::depth : 1));
}

void multiplyWords(Precision precision, int64_t M, int64_t N, int64_t K, Words A, PackedB B, const float* from, float* C,
                   int64_t ldc, Scratch& scratch) {
  if (precision == Precision::F32)
    return multiplyAs(M, N, K, WordSide<Full>{A.data, A.row, A.step}, B, from, C, ldc, nullptr, scratch);
#if defined(LATHE_TILES)
  multiplyTiles(M, N, K, A, B, from, C, ldc, scratch);
#else
  multiplyAs(M, N, K, WordSide<Half>{A.data, A.row, A.step}, B, from, C, ldc, nullptr, scratch);
#endif
}

}  // namespace lathe::LATHE_VARIANT
