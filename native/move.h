// Kernels that move rows and need no instruction set of their own.
#pragma once
#include <cstdint>

namespace lathe {

// A window of rows × columns 4-byte elements between two matrices: row lengths, then where it starts in each.
struct Window {
  int64_t rows, columns, fromRow, toRow, fromAt, toAt;
};

void copyWindow(const Window&, const char* from, char* to, bool add);  // add: as floats
void fill(float* y, int64_t n, float value);
void transpose(int64_t rows, int64_t columns, const float* x, float* y);
void takeRow(int64_t n, int64_t row, const char* stack, char* y);
void putRow(int64_t n, int64_t size, int64_t row, const float* x, float* y, bool add);
void append(int64_t capacity, int64_t d, int64_t rows, int64_t slot, int64_t start, float* slots, const float* x, float* view);
void embed(int64_t T, int64_t d, const float* table, const int32_t* ids, float* y);
void embedGrad(int64_t T, int64_t V, int64_t d, const int32_t* ids, const float* dy, float* dtable, bool add);

}  // namespace lathe
