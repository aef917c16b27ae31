// Matrix products inside a variant.
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

// Rows [row0, ...) and columns [col0, ...) of a packed [rows, *] matrix; both starts are multiples of kPackedStep.
struct PackedB {
  const void* data;
  int64_t rows, row0 = 0, col0 = 0;
};
constexpr int64_t kPackedStep = 32;

// A left side as words (words.h), `row` and `step` of them from one to the next down and along K; one of both is 1. Where it
// is the step, each row is filled up with zeros to whole vectors.
struct Words {
  const int32_t* data;
  int64_t row, step;
};
// A pitch for rows of K values in words: an odd number of vectors, so that they are no multiple of 4 KiB apart.
int64_t wordsPitch(Precision, int64_t K);

size_t packedBytes(Precision, int64_t K, int64_t N);
void pack(Precision, int64_t K, int64_t N, Strided B, void* packed);

// C [M, N] = from + A [M, K] . B; from lies as C does, may be C, or null for zeros. `then` as in kernels.h.
void multiply(Precision, int64_t M, int64_t N, int64_t K, Strided A, PackedB B, const float* from, float* C, int64_t ldc,
              Scratch&, const Elementwise* then = nullptr);
// The same of words.
void multiplyWords(Precision, int64_t M, int64_t N, int64_t K, Words A, PackedB B, const float* from, float* C, int64_t ldc,
                   Scratch&);

// What follows a product, from rows [m0, m0 + rows) of C at c, ldc apart.
void follow(const Elementwise& then, int64_t m0, int64_t rows, const float* c, int64_t ldc, Scratch&);

#if defined(LATHE_TILES)
size_t packedBytesTiles(int64_t K, int64_t N);
void packTiles(int64_t K, int64_t N, Strided B, void* packed);
void multiplyTiles(int64_t M, int64_t N, int64_t K, Strided A, PackedB B, const float* from, float* C, int64_t ldc,
                   Scratch&, const Elementwise* then);
void multiplyTiles(int64_t M, int64_t N, int64_t K, Words A, PackedB B, const float* from, float* C, int64_t ldc, Scratch&);
#endif

}  // namespace lathe::LATHE_VARIANT
