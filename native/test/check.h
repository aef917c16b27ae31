// What the kernel tests stand on: buffers that end at a guard page, seeded values, bf16 rounding, and the tally.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels.h"

namespace lathe::test {

inline int passed = 0, failed = 0;
inline double worst = 0;  // the largest error of the current family, as a share of what is allowed

__attribute__((format(printf, 2, 3))) inline void check(bool ok, const char* format, ...) {
  if (ok) {
    ++passed;
    return;
  }
  if (++failed > 60) return;
  va_list rest;
  va_start(rest, format);
  std::printf("FAILED ");
  std::vprintf(format, rest);
  std::printf("\n");
  va_end(rest);
}

// n values that end where an unreadable page begins. The bytes before them are watched.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t count) : n_(static_cast<size_t>(count)) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (n_ * sizeof(T) + kWatched + page - 1) / page * page + page;
    map_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (map_ == MAP_FAILED || mprotect(map_ + size_ - page, page, PROT_NONE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(map_ + size_ - page - n_ * sizeof(T));
    std::memset(reinterpret_cast<char*>(data_) - kWatched, 0x5a, kWatched);
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(static_cast<int64_t>(values.size())) {
    if (n_) std::memcpy(data_, values.data(), n_ * sizeof(T));
  }
  ~Guarded() {
    const char* watched = reinterpret_cast<char*>(data_) - kWatched;
    for (size_t i = 0; i < kWatched; ++i)
      if (watched[i] != 0x5a) {
        check(false, "a kernel wrote before the start of a buffer of %zu values", n_);
        break;
      }
    munmap(map_, size_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  int64_t size() const { return static_cast<int64_t>(n_); }
  bool same(Guarded& other) { return n_ == other.n_ && std::memcmp(data_, other.data_, n_ * sizeof(T)) == 0; }

 private:
  static constexpr size_t kWatched = 64;
  size_t n_, size_;
  char* map_;
  T* data_;
};
// Temporary memory that is full of NaN, as a worker's may be: what a kernel did not write it must not use.
class UsedScratch : public Scratch {
 public:
  UsedScratch() {
    constexpr size_t kBytes = 256 << 10;
    std::memset(take(kBytes), 0xff, kBytes);
    reset();
  }
};
using Floats = Guarded<float>;
using Ints = Guarded<int32_t>;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(next()) % n; }
  float uniform() { return static_cast<float>(next()) * 0x1p-30f - 1; }  // in [-1, 1)
  std::vector<float> floats(int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& x : values) x = uniform();
    return values;
  }
  template <size_t n>
  int64_t of(const int64_t (&choices)[n]) { return choices[below(n)]; }

 private:
  uint64_t state_;
};

// Nearest bf16, ties to even.
inline uint16_t bf16Bits(float x) {
  uint32_t u;
  std::memcpy(&u, &x, 4);
  return static_cast<uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline double toBf16(double value) {
  const uint32_t u = uint32_t{bf16Bits(static_cast<float>(value))} << 16;
  float y;
  std::memcpy(&y, &u, 4);
  return y;
}
inline bool areHalvesOf(Guarded<uint16_t>& halves, Floats& values) {
  bool same = true;
  for (int64_t i = 0; i < values.size(); ++i) same &= halves[i] == bf16Bits(values[i]);
  return same;
}
inline double operand(Precision precision, double x) {
  return precision == Precision::BF16 ? toBf16(x) : static_cast<double>(static_cast<float>(x));
}
inline const char* nameOf(Precision precision) { return precision == Precision::BF16 ? "bf16" : "f32"; }

// What a family may be off, relative to the norm of the right answer, over sums of K products.
inline double tolerance(Precision precision, double K) {
  return precision == Precision::BF16 ? 2e-3 : 1e-6 * std::sqrt(K);
}

// Compares in the Frobenius norm: relative to the right answer or, where its terms cancel, to the norm of the terms.
inline void checkClose(const float* got, const std::vector<double>& want, double allowed, const std::string& what,
                       double squaredTerms = 0) {
  double off = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    off += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  norm = std::fmax(norm, squaredTerms);
  const double relative = norm > 0 ? std::sqrt(off / norm) : std::sqrt(off);
  if (relative > worst * allowed) worst = relative / allowed;
  check(relative <= allowed, "%s: relative error %.3g, allowed %.3g", what.c_str(), relative, allowed);
}

__attribute__((format(printf, 1, 2))) inline std::string text(const char* format, ...) {
  char buffer[300];
  va_list rest;
  va_start(rest, format);
  std::vsnprintf(buffer, sizeof buffer, format, rest);
  va_end(rest);
  return buffer;
}

using Doubles = std::vector<double>;
constexpr Precision kPrecisions[] = {Precision::F32, Precision::BF16};

void testMatmul(const Kernels&);
void testAttention(const Kernels&);
void testCrossEntropy(const Kernels&);
void testNorm(const Kernels&);
void testSoftmax(const Kernels&);
void testUnary(const Kernels&);
void testElementwise(const Kernels&);
void testSums(const Kernels&);

}  // namespace lathe::test
