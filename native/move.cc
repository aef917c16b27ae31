#include "move.h"

#include <cstring>

namespace lathe {

void copyWindow(const Window& w, const char* from, char* to, bool add) {
  from += 4 * w.fromAt;
  to += 4 * w.toAt;
  for (int64_t r = 0; r < w.rows; ++r, from += 4 * w.fromRow, to += 4 * w.toRow) {
    if (!add) {
      std::memcpy(to, from, 4 * static_cast<size_t>(w.columns));
      continue;
    }
    float* sum = reinterpret_cast<float*>(to);
    const float* x = reinterpret_cast<const float*>(from);
    for (int64_t c = 0; c < w.columns; ++c) sum[c] += x[c];
  }
}

void fill(float* y, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}

void transpose(int64_t rows, int64_t columns, const float* x, float* y) {
  constexpr int64_t kTile = 16;
  for (int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < columns; c0 += kTile)
      for (int64_t r = r0; r < rows && r < r0 + kTile; ++r)
        for (int64_t c = c0; c < columns && c < c0 + kTile; ++c) y[c * rows + r] = x[r * columns + c];
}

void takeRow(int64_t n, int64_t row, const char* stack, char* y) {
  std::memcpy(y, stack + 4 * n * row, 4 * static_cast<size_t>(n));
}

void putRow(int64_t n, int64_t size, int64_t row, const float* x, float* y, bool add) {
  if (!add) fill(y, size, 0.0f);
  for (int64_t i = 0; i < n; ++i) y[row * n + i] += x[i];
}

void append(int64_t capacity, int64_t d, int64_t rows, int64_t slot, int64_t start, float* slots, const float* x,
            float* view) {
  float* own = slots + slot * capacity * d;
  std::memcpy(own + start * d, x, 4 * static_cast<size_t>(rows * d));
  if (view) std::memcpy(view, own, 4 * static_cast<size_t>(capacity * d));
}

void embed(int64_t T, int64_t d, const float* table, const int32_t* ids, float* y) {
  for (int64_t t = 0; t < T; ++t) std::memcpy(y + t * d, table + ids[t] * d, 4 * static_cast<size_t>(d));
}

void embedGrad(int64_t T, int64_t V, int64_t d, const int32_t* ids, const float* dy, float* dtable, bool add) {
  if (!add) fill(dtable, V * d, 0.0f);
  for (int64_t t = 0; t < T; ++t)
    for (int64_t i = 0; i < d; ++i) dtable[ids[t] * d + i] += dy[t * d + i];
}

}  // namespace lathe
