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
constexpr int64_t kPartRows = 64;            // of C, so that what follows finds them in L2
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

// One tile of the left side, from `rows` rows and kLeft values of K; what is missing is zero.
template <class Side>
void packTile(const Side& A, int64_t m, int64_t k, int64_t rows, int64_t kLeft, int32_t* tile) {
  vi words[kEdge];
  if (A.line == 1 && A.step != 1) {
    for (int64_t j = 0; j < kEdge; ++j) words[j] = A.across(m, k + 2 * j, kLeft - 2 * j, rows);
    transpose(words);
  } else {
    for (int64_t i = 0; i < kEdge; ++i) words[i] = i < rows ? A.along(m + i, k, kLeft) : vi{};
  }
  for (int64_t i = 0; i < kEdge; ++i) store(tile + i * kEdge, words[i]);
}

// Whether tiles read the left side where it stands: pairs that lie in lines, enough of them for a block of whole tiles that
// ends with the last.
LATHE_INLINE bool standing(const FloatSide<Pairs>&, int64_t) { return false; }
template <class Side>
LATHE_INLINE bool standing(const Side& A, int64_t M) {
  return A.line != 1 && (M % kEdge == 0 || M > 2 * kEdge);
}

// Tiles of A in memory: words from row to row, from tile to tile along K, and from tile to tile down.
struct TilesOfA {
  const int32_t* data;
  int64_t row, along, down;
};

// C, MT x NT tiles at c, from nK tiles along K, added to those at `from` unless it is null.
template <int MT, int NT>
void tileBlock(int64_t nK, TilesOfA A, const int32_t* b, int64_t bPitch, const float* from, float* c, int64_t ldc) {
  const int64_t stride = ldc * 4;
  float* below = c + kEdge * ldc;
  if (from) {
    const float* fromBelow = from + kEdge * ldc;
    tileLoad<0>(from, stride);
    if constexpr (NT == 2) tileLoad<1>(from + kEdge, stride);
    if constexpr (MT == 2) tileLoad<2>(fromBelow, stride);
    if constexpr (MT == 2 && NT == 2) tileLoad<3>(fromBelow + kEdge, stride);
  } else {
    tileZero<0>();
    if constexpr (NT == 2) tileZero<1>();
    if constexpr (MT == 2) tileZero<2>();
    if constexpr (MT == 2 && NT == 2) tileZero<3>();
  }
  const int32_t* a = A.data;
  const int64_t aRow = 4 * A.row;
  for (int64_t k = 0; k < nK; ++k, a += A.along, b += kTileWords) {
    tileLoad<4>(a, aRow);
    tileLoad<6>(b, kTileBytes);
    tileDot<0, 4, 6>();
    if constexpr (NT == 2) {
      tileLoad<7>(b + bPitch, kTileBytes);
      tileDot<1, 4, 7>();
    }
    if constexpr (MT == 2) {
      tileLoad<5>(a + A.down, aRow);
      tileDot<2, 5, 6>();
    }
    if constexpr (MT == 2 && NT == 2) tileDot<3, 5, 7>();
  }
  tileStore<0>(c, stride);
  if constexpr (NT == 2) tileStore<1>(c + kEdge, stride);
  if constexpr (MT == 2) tileStore<2>(below, stride);
  if constexpr (MT == 2 && NT == 2) tileStore<3>(below + kEdge, stride);
}

using Block = void (*)(int64_t, TilesOfA, const int32_t*, int64_t, const float*, float*, int64_t);
constexpr Block kBlocks[2][2] = {{tileBlock<1, 1>, tileBlock<1, 2>}, {tileBlock<2, 1>, tileBlock<2, 2>}};

template <class Side>
void multiplyAs(int64_t M, int64_t N, int64_t K, const Side A, PackedB B, const float* from, float* C, int64_t ldc,
                const Elementwise* then, Scratch& scratch) {
  configure();
  const int64_t nK = ceilDiv(K, kDepth), words = roundUp(B.rows, kDepth) / 2;
  const auto* packedB = static_cast<const int32_t*>(B.data) + B.col0 * words + B.row0 / 2 * kEdge;
  const bool stands = standing(A, M);

  Scratch::Frame frame(scratch);
  const int64_t down = nK * kTileWords, bPitch = words * kEdge, pitch = A.lineWords();
  const int64_t asked = then ? least(M, kPartRows) : M;
  const int64_t mostRows = roundUp(least(asked, most(kBlockBytes / (64 * nK), 2 * kEdge)), 2 * kEdge);
  int32_t* packedA = stands ? nullptr : scratch.array<int32_t>(static_cast<size_t>(mostRows / kEdge * down));
  alignas(64) float edge[4 * kTileWords];  // a block that C holds only in part
  const int64_t pitchC = C ? ldc : roundUp(N, kEdge);
  float* part = C ? nullptr : scratch.array<float>(static_cast<size_t>(mostRows * pitchC));

  for (int64_t m0 = 0; m0 < M; m0 += mostRows) {
    const int64_t m1 = least(m0 + mostRows, M);
    float* rowsOfC = C ? C + m0 * ldc : part;
    if (!stands)
      for (int64_t m = m0; m < m1; m += kEdge)
        for (int64_t k = 0; k < nK; ++k)
          packTile(A, m, k * kDepth, m1 - m, K - k * kDepth, packedA + (m - m0) / kEdge * down + k * kTileWords);
    for (int64_t n = 0; n < N; n += 2 * kEdge) {
      const int64_t cols = least(2 * kEdge, N - n);
      const int32_t* b = packedB + n * words;
      for (int64_t m = m0; m < m1; m += 2 * kEdge) {
        const int64_t rows = least(2 * kEdge, m1 - m), mt = ceilDiv(rows, kEdge), nt = ceilDiv(cols, kEdge);
        const int64_t before = stands ? mt * kEdge - rows : 0;  // rows of the last block that the one above it has
        const TilesOfA a = stands
            ? TilesOfA{reinterpret_cast<const int32_t*>(A.data) + (m - before) * pitch, pitch, kEdge, kEdge * pitch}
            : TilesOfA{packedA + (m - m0) / kEdge * down, kEdge, kTileWords, down};
        const float* add = from ? from + m * ldc + n : nullptr;
        float* c = rowsOfC + (m - m0) * pitchC + n;
        const Block block = kBlocks[mt - 1][nt - 1];
        if (rows == mt * kEdge && cols == nt * kEdge) {
          block(nK, a, b, bPitch, add, c, pitchC);
          continue;
        }
        block(nK, a, b, bPitch, nullptr, edge, 2 * kEdge);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < cols; ++j) {
            const float value = edge[(before + i) * 2 * kEdge + j];
            c[i * pitchC + j] = add ? add[i * ldc + j] + value : value;
          }
      }
    }
    if (then) follow(*then, m0, m1 - m0, rowsOfC, pitchC, scratch);
  }
}

}  // namespace

size_t packedBytesTiles(int64_t K, int64_t N) {
  return static_cast<size_t>(roundUp(K, kDepth) * roundUp(N, kEdge)) * 2;
}

void packTiles(int64_t K, int64_t N, Strided B, void* packed) {
  withSide<Pairs>(B, B.cs, B.rs, [&](const auto& side) {
    packPanels<kEdge>(side, K, N, roundUp(K, kDepth) / 2, static_cast<int32_t*>(packed));
  });
}

void multiplyTiles(int64_t M, int64_t N, int64_t K, Strided A, PackedB B, const float* from, float* C, int64_t ldc,
                   Scratch& scratch, const Elementwise* then) {
  withSide<Pairs>(A, A.rs, A.cs, [&](const auto& side) { multiplyAs(M, N, K, side, B, from, C, ldc, then, scratch); });
}

void multiplyTiles(int64_t M, int64_t N, int64_t K, Words A, PackedB B, const float* from, float* C, int64_t ldc,
                   Scratch& scratch) {
  multiplyAs(M, N, K, WordSide<Pairs>{A.data, A.row, A.step}, B, from, C, ldc, nullptr, scratch);
}

}  // namespace lathe::LATHE_VARIANT
