// A Schedule: native kernels and loops in order, with a place for every value. It is decoded once and run for many
// sequences, some of them side by side; a Worker is what one thread needs to run it.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "kernels.h"

namespace lathe {

// The memories that places point into; the order is that of `memories` in src/executor/native/encode.ts.
enum Memory : int32_t { kArena, kParameter, kInput, kState, kOutput, kSum, kMemories };

struct Place {
  Memory memory;
  int32_t index;
  bool halves;                   // bf16 and no f32
  int64_t offset;                // bytes
  int64_t sequence;              // bytes from one sequence to the next; 0: all share it
  std::vector<int64_t> strides;  // bytes per iteration of the loop at each depth
};

// A parameter in the panel form of matmul's right side.
struct Pack {
  int32_t parameter;
  int64_t K, N, rowStep, columnStep;
};

enum Kernel : int32_t {
  kLoop, kElementwise, kCopyWindow, kFill, kPad, kConcat, kTranspose, kTakeRow, kPutRow, kAppend, kSumTo, kMatmul,
  kAttention, kAttentionGrad, kRopeTable, kRope, kNorm, kNormGrad, kSoftmax, kEmbed, kEmbedGrad, kCrossEntropy, kCrossEntropyGrad, kKernels,
};
// Their names in a Schedule.
extern const char* const kernelNames[kKernels];

struct Step {
  Kernel kernel;
  std::vector<int32_t> reads, writes;  // places; -1: absent
  std::vector<int64_t> integers;
  std::vector<float> reals;
  int32_t rows = -1;    // the integer that counts rows, where one call computes all sequences; -1: a call for each
  int32_t number = -1;  // among the kernels of all loops, in order
  // Of a loop.
  int64_t count = 0;
  bool reverse = false;
  int32_t depth = 0, runs = -1, index = -1;
  std::vector<Step> body;
};

struct Schedule {
  const Kernels* kernels;
  Precision precision;
  size_t arenaBytes;
  int64_t together;  // sequences that are worked off side by side
  std::vector<Place> places;
  std::vector<Pack> packs;
  std::vector<Step> steps;
};

// What a kernel took, on all threads together.
struct Spent {
  std::atomic<int64_t> nanoseconds{0}, sequences{0};
};

// What sequences of a run compute on, side by side, and the memory to do it in.
class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  ~Worker();
  void reserve(size_t arenaBytes);
  // bases[m][i]: the array i of memory m, of the first of `count` sequences; begun: which sums hold anything; packs: the packed
  // parameters; spent, by number of a step: null where nobody asks.
  void run(const Schedule&, int64_t count, const std::vector<char*> (&bases)[kMemories], std::vector<char>& begun,
           const std::vector<void*>& packs, Spent* spent);

 private:
  static constexpr int kDepth = 16;
  // A step's integers; the one that counts rows counts those of all sequences that the call computes.
  struct Integers {
    const Step& step;
    int64_t count;
    int64_t operator[](size_t i) const { return step.integers[i] * (static_cast<int32_t>(i) == step.rows ? count : 1); }
  };
  void steps(const std::vector<Step>&);
  void loop(const Step&);
  void calls(const Step&);
  void kernel(const Step&);
  char* at(int32_t place) const;
  template <class T>
  T* read(const Step& s, size_t i) const {
    return i < s.reads.size() ? reinterpret_cast<T*>(at(s.reads[i])) : nullptr;
  }
  float* write(const Step& s, size_t i) const { return reinterpret_cast<float*>(at(s.writes[i])); }
  Input input(const Step& s, size_t i) const { return {at(s.reads[i]), halves(s.reads[i])}; }
  Output output(const Step& s, size_t i) const { return {at(s.writes[i]), halves(s.writes[i])}; }
  bool inSum(int32_t place) const { return place >= 0 && schedule_->places[place].memory == kSum; }
  bool adds(const Step& s, size_t i) const;  // what it writes to a sum that holds something already
  bool halves(int32_t place) const { return place >= 0 && schedule_->places[place].halves; }
  Strided operand(const Step& s, size_t i, int64_t rs, int64_t cs) const {
    return {at(s.reads[i]), rs, cs, halves(s.reads[i])};
  }
  Integers integers(const Step& s) const { return {s, count_}; }
  const void* packed(int64_t pack, int64_t K, int64_t N, Strided B);

  Elementwise pass(const Step&, size_t at, size_t reads, size_t writes);
  void elementwise(const Step&);
  void matmul(const Step&);
  void attention(const Step&, bool gradient);
  void crossEntropy(const Step&, bool gradient);

  const Schedule* schedule_ = nullptr;
  const std::vector<char*>* bases_ = nullptr;
  std::vector<char>* begun_ = nullptr;
  const std::vector<void*>* packs_ = nullptr;
  Spent* spent_ = nullptr;
  int64_t count_ = 1;     // sequences
  int64_t sequence_ = 0;  // which of them a call for each is about
  int64_t index_[kDepth] = {};
  char* arena_ = nullptr;
  size_t arenaBytes_ = 0;
  Scratch scratch_;
};

}  // namespace lathe
