// bf16 matrix products on AMX tiles. A tile holds 16 rows of 16 words, a word a pair of bf16 values along K.
// Packed B is [N / 16][K / 32][16 pairs of K][16 columns]; packed A is [M / 16][K / 32][16 rows][16 pairs of K].
#include "gemm.h"
#include "tiles.h"
#include "words.h"

namespace lathe::LATHE_VARIANT {

namespace {

constexpr int kEdge = 16;                    // rows and words of a tile
constexpr int kTileWords = kEdge * kEdge;
constexpr int kTileBytes = 4 * kEdge;        // of one row
constexpr int64_t kDepth = 32;               // values of K in a tile
constexpr int64_t kBlockBytes = 512 * 1024;  // of packed A, so that it stays in L2
static_assert(W == kEdge, "a tile's row is one vector");

alignas(64) const TileConfig kConfig = {
    1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

// The configuration belongs to the thread, so each loads it once.
thread_local bool configured = false;

void configure() {
  if (configured) return;
  tileConfigure(kConfig);
  configured = true;
}

// One tile of A from `rows` rows and kLeft values of K; what is missing is zero.
void packTileA(const float* p, int64_t rs, int64_t cs, int64_t rows, int64_t kLeft, int32_t* tile) {
  vi words[kEdge];
  const bool whole = rows >= kEdge && kLeft >= kDepth;
  if (rs == 1 && cs != 1) {
    for (int64_t j = 0; j < kEdge; ++j)
      words[j] = whole ? Pairs::across(load(p + 2 * j * cs), load(p + (2 * j + 1) * cs))
                       : wordsAcross<Pairs>(p + 2 * j * cs, cs, kLeft - 2 * j, rows);
    transpose(words);
  } else if (whole && cs == 1) {
    for (int64_t i = 0; i < kEdge; ++i) words[i] = Pairs::along(load(p + i * rs), load(p + i * rs + W));
  } else {
    for (int64_t i = 0; i < kEdge; ++i) words[i] = i < rows ? wordsAlong<Pairs>(p + i * rs, cs, kLeft) : vi{};
  }
  for (int64_t i = 0; i < kEdge; ++i) store(tile + i * kEdge, words[i]);
}

void packRowsA(int64_t M, int64_t K, Strided A, int32_t* packed) {
  for (int64_t m = 0; m < M; m += kEdge)
    for (int64_t k = 0; k < K; k += kDepth, packed += kTileWords)
      packTileA(A.data + m * A.rs + k * A.cs, A.rs, A.cs, M - m, K - k, packed);
}

// C, MT x NT tiles at c, from nK tiles along K; starts from what C holds when `add` is set.
template <int MT, int NT>
void tileBlock(int64_t nK, const int32_t* a, int64_t aPitch, const int32_t* b, int64_t bPitch, float* c, int64_t ldc,
               bool add) {
  const int64_t stride = ldc * 4;
  float* below = c + kEdge * ldc;
  if (add) {
    tileLoad<0>(c, stride);
    if constexpr (NT == 2) tileLoad<1>(c + kEdge, stride);
    if constexpr (MT == 2) tileLoad<2>(below, stride);
    if constexpr (MT == 2 && NT == 2) tileLoad<3>(below + kEdge, stride);
  } else {
    tileZero<0>();
    if constexpr (NT == 2) tileZero<1>();
    if constexpr (MT == 2) tileZero<2>();
    if constexpr (MT == 2 && NT == 2) tileZero<3>();
  }
  for (int64_t k = 0; k < nK; ++k, a += kTileWords, b += kTileWords) {
    tileLoad<4>(a, kTileBytes);
    tileLoad<6>(b, kTileBytes);
    tileDot<0, 4, 6>();
    if constexpr (NT == 2) {
      tileLoad<7>(b + bPitch, kTileBytes);
      tileDot<1, 4, 7>();
    }
    if constexpr (MT == 2) {
      tileLoad<5>(a + aPitch, kTileBytes);
      tileDot<2, 5, 6>();
    }
    if constexpr (MT == 2 && NT == 2) tileDot<3, 5, 7>();
  }
  tileStore<0>(c, stride);
  if constexpr (NT == 2) tileStore<1>(c + kEdge, stride);
  if constexpr (MT == 2) tileStore<2>(below, stride);
  if constexpr (MT == 2 && NT == 2) tileStore<3>(below + kEdge, stride);
}

using Block = void (*)(int64_t, const int32_t*, int64_t, const int32_t*, int64_t, float*, int64_t, bool);
constexpr Block kBlocks[2][2] = {{tileBlock<1, 1>, tileBlock<1, 2>}, {tileBlock<2, 1>, tileBlock<2, 2>}};

}  // namespace

size_t packedBytesTiles(int64_t K, int64_t N) {
  return static_cast<size_t>(roundUp(K, kDepth) * roundUp(N, kEdge)) * 2;
}

void packTiles(int64_t K, int64_t N, Strided B, void* packed) {
  const int64_t words = roundUp(K, kDepth) / 2;
  for (int64_t n = 0; n < N; n += kEdge)
    packPanel<Pairs>(B.data + n * B.cs, B.cs, B.rs, least(kEdge, N - n), K, words, kEdge,
                     static_cast<int32_t*>(packed) + n * words);
}

void multiplyTiles(int64_t M, int64_t N, int64_t K, Strided A, PackedB B, float* C, int64_t ldc, bool accumulate,
                   Scratch& scratch) {
  configure();
  const int64_t nK = ceilDiv(K, kDepth), words = roundUp(B.rows, kDepth) / 2;
  const auto* packedB = static_cast<const int32_t*>(B.data) + B.col0 * words + B.row0 / 2 * kEdge;

  Scratch::Frame frame(scratch);
  const int64_t aPitch = nK * kTileWords, bPitch = words * kEdge;
  const int64_t mostRows = roundUp(least(M, most(kBlockBytes / (64 * nK), 2 * kEdge)), 2 * kEdge);
  int32_t* packedA = scratch.array<int32_t>(static_cast<size_t>(mostRows / kEdge * aPitch));
  alignas(64) float edge[4 * kTileWords];  // a block that C holds only in part

  for (int64_t m0 = 0; m0 < M; m0 += mostRows) {
    const int64_t m1 = least(m0 + mostRows, M);
    packRowsA(m1 - m0, K, {A.data + m0 * A.rs, A.rs, A.cs}, packedA);
    for (int64_t n = 0; n < N; n += 2 * kEdge) {
      const int64_t cols = least(2 * kEdge, N - n);
      const int32_t* b = packedB + n * words;
      for (int64_t m = m0; m < m1; m += 2 * kEdge) {
        const int64_t rows = least(2 * kEdge, m1 - m), mt = ceilDiv(rows, kEdge), nt = ceilDiv(cols, kEdge);
        const int32_t* a = packedA + (m - m0) / kEdge * aPitch;
        float* c = C + m * ldc + n;
        const Block block = kBlocks[mt - 1][nt - 1];
        if (rows == mt * kEdge && cols == nt * kEdge) {
          block(nK, a, aPitch, b, bPitch, c, ldc, accumulate);
          continue;
        }
        block(nK, a, aPitch, b, bPitch, edge, 2 * kEdge, false);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < cols; ++j) {
            const float value = edge[i * 2 * kEdge + j];
            c[i * ldc + j] = accumulate ? c[i * ldc + j] + value : value;
          }
      }
    }
  }
}

}  // namespace lathe::LATHE_VARIANT
