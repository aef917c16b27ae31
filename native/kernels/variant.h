// The kernels that every variant has, as table.cc lists them.
#pragma once
#include "simd.h"

namespace lathe::LATHE_VARIANT {

void attention(Precision, const Attention&, Scratch&);
void attentionGrad(Precision, const Attention&, const AttentionGrad&, Scratch&);
void ropeTable(float base, int64_t start, const int32_t* positions, int64_t rows, int64_t half, float* table, Scratch&);
void rope(const float* table, int64_t T, int64_t nHeads, int64_t dHead, float direction, const float* x, Output y, Scratch&);
void norm(const Norm&, Output y);
void normGrad(const Norm&, const float* dy, const float* from, float* dx, float* dgain, float* dbias, bool accumulate,
              Scratch&);
void softmax(int64_t rows, int64_t cols, const float* x, float* y);
void crossEntropy(Precision, const CrossEntropy&, float* losses, int32_t* predictions, float* lse, Scratch&);
void crossEntropyGrad(Precision, const CrossEntropy&, const float* lse, const float* dlosses, float* dx, float* dW,
                      bool accumulate, Scratch&);
void unary(int32_t kind, int64_t n, const float* x, float* y, Output slope);
void elementwise(const Elementwise&, Scratch&);
void sumTo(int64_t rows, int64_t columns, bool keepRows, bool keepColumns, const float* x, float* y, bool add);
double addUp(int count, const float* const* parts, int64_t n, bool add, float* into);
double peak(Precision, int64_t rounds);
float readAll(const float* data, int64_t n, int64_t rounds);

}  // namespace lathe::LATHE_VARIANT
