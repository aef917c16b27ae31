#include "schedule.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "move.h"
#include "pages.h"

namespace lathe {

const char* const kernelNames[kKernels] = {
    "loop",      "elementwise", "copy",          "fill",   "pad",     "concat",   "transpose",
    "takeRow",   "putRow",      "append",        "sumTo",  "matmul",  "attention", "attentionGrad",
    "ropeTable", "rope",        "norm",          "normGrad", "softmax", "embed", "embedGrad", "linearCrossEntropy", "linearCrossEntropyGrad",
};

Worker::~Worker() { std::free(arena_); }

void Worker::reserve(size_t bytes) {
  if (bytes <= arenaBytes_) return;
  std::free(arena_);
  arena_ = nullptr;
  arenaBytes_ = 0;
  arena_ = static_cast<char*>(takeMemory(bytes));
  arenaBytes_ = bytes;
}

void Worker::run(const Schedule& schedule, int64_t count, const std::vector<char*> (&bases)[kMemories],
                 std::vector<char>& begun, const std::vector<void*>& packs, Spent* spent) {
  schedule_ = &schedule;
  count_ = count;
  bases_ = bases;
  begun_ = &begun;
  packs_ = &packs;
  spent_ = spent;
  reserve(schedule.arenaBytes);
  steps(schedule.steps);
}

void Worker::steps(const std::vector<Step>& list) {
  for (const Step& s : list) {
    if (s.kernel == kLoop) {
      loop(s);
    } else if (!spent_) {
      calls(s);
    } else {
      const auto start = std::chrono::steady_clock::now();
      calls(s);
      const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
      spent_[s.number].nanoseconds += took.count();
      spent_[s.number].sequences += count_;
    }
  }
}

void Worker::calls(const Step& s) {
  const int64_t calls = s.rows >= 0 ? 1 : count_;
  for (sequence_ = 0; sequence_ < calls; ++sequence_) {
    scratch_.reset();
    kernel(s);
    for (int32_t place : s.writes)
      if (inSum(place)) (*begun_)[schedule_->places[place].index] = true;
  }
  sequence_ = 0;
}

void Worker::loop(const Step& s) {
  int64_t count = s.count;
  if (s.runs >= 0) count = std::min<int64_t>(count, *reinterpret_cast<const int32_t*>(at(s.runs)));
  for (int64_t n = 0; n < count; ++n) {
    const int64_t i = s.reverse ? count - 1 - n : n;
    index_[s.depth] = i;
    *reinterpret_cast<int32_t*>(at(s.index)) = static_cast<int32_t>(i);
    steps(s.body);
  }
}

char* Worker::at(int32_t place) const {
  if (place < 0) return nullptr;
  const Place& p = schedule_->places[place];
  char* base = p.memory == kArena ? arena_ : bases_[p.memory][p.index];
  if (!base) return nullptr;
  int64_t offset = p.offset + p.sequence * sequence_;
  for (size_t d = 0; d < p.strides.size(); ++d) offset += p.strides[d] * index_[d];
  return base + offset;
}

bool Worker::adds(const Step& s, size_t i) const {
  return inSum(s.writes[i]) && (*begun_)[schedule_->places[s.writes[i]].index];
}

const void* Worker::packed(int64_t pack, int64_t K, int64_t N, Strided B) {
  if (pack >= 0) return (*packs_)[pack];
  const Kernels& k = *schedule_->kernels;
  void* panels = scratch_.take(k.packedBytes(schedule_->precision, K, N));
  k.pack(schedule_->precision, K, N, B, panels);
  return panels;
}

void Worker::kernel(const Step& s) {
  const Integers n = integers(s);
  const Kernels& k = *schedule_->kernels;
  switch (s.kernel) {
    case kElementwise: return elementwise(s);
    case kMatmul: return matmul(s);
    case kAttention: return attention(s, false);
    case kAttentionGrad: return attention(s, true);
    case kRopeTable: {
      const int32_t *start = read<int32_t>(s, 0), *positions = read<int32_t>(s, 1);
      const int64_t first = start ? *start : 0;
      return k.ropeTable(s.reals[0], first, positions ? positions + first : nullptr, n[0], n[1], write(s, 0), scratch_);
    }
    case kRope:
      return k.rope(read<float>(s, 1), n[0], n[1], n[2], static_cast<float>(n[3]), read<float>(s, 0), output(s, 0), scratch_);
    case kCrossEntropy: return crossEntropy(s, false);
    case kCrossEntropyGrad: return crossEntropy(s, true);
    case kNorm:
    case kNormGrad: {
      const Norm norm = {n[0], n[1], n[2] != 0, s.reals[0], read<float>(s, 0), read<float>(s, 1),
                         s.kernel == kNorm ? read<float>(s, 2) : nullptr};
      if (s.kernel == kNorm) return k.norm(norm, output(s, 0));
      float* dx = write(s, 0) ? write(s, 0) : scratch_.array<float>(n[0] * n[1]);
      const bool add = adds(s, 1) || adds(s, 2);
      for (int i : {1, 2})
        if (add && !adds(s, i) && write(s, i)) fill(write(s, i), n[1], 0.0f);
      return k.normGrad(norm, read<float>(s, 2), read<float>(s, 3), dx, write(s, 1), write(s, 2), add, scratch_);
    }
    case kSoftmax: return k.softmax(n[0], n[1], read<float>(s, 0), write(s, 0));
    case kCopyWindow:
      return copyWindow({n[0], n[1], n[2], n[3], n[4], n[5]}, read<char>(s, 0), reinterpret_cast<char*>(write(s, 0)),
                        adds(s, 0));
    case kFill: return fill(write(s, 0), n[0], s.reals[0]);
    case kPad:
      fill(write(s, 0), n[0], 0.0f);
      return copyWindow({n[1], n[2], n[3], n[4], n[5], n[6]}, read<char>(s, 0), reinterpret_cast<char*>(write(s, 0)), false);
    case kConcat:
      for (int64_t i = 0; i < n[0]; ++i) {
        const int64_t* w = &s.integers[1 + 6 * i];
        copyWindow({w[0], w[1], w[2], w[3], w[4], w[5]}, read<char>(s, i), reinterpret_cast<char*>(write(s, 0)), false);
      }
      return;
    case kTranspose: return transpose(n[0], n[1], read<float>(s, 0), write(s, 0));
    case kTakeRow: return takeRow(n[0], *read<int32_t>(s, 1), read<char>(s, 0), reinterpret_cast<char*>(write(s, 0)));
    case kPutRow: return putRow(n[0], n[1], *read<int32_t>(s, 1), read<float>(s, 0), write(s, 0), adds(s, 0));
    case kAppend:
      return append(n[0], n[1], n[2], *read<int32_t>(s, 1), *read<int32_t>(s, 3), read<float>(s, 0), read<float>(s, 2),
                    write(s, 0));
    case kSumTo: return k.sumTo(n[0], n[1], n[2] != 0, n[3] != 0, read<float>(s, 0), write(s, 0), adds(s, 0));
    case kEmbed: return embed(n[0], n[2], read<float>(s, 0), read<int32_t>(s, 1), write(s, 0));
    case kEmbedGrad: return embedGrad(n[0], n[1], n[2], read<int32_t>(s, 0), read<float>(s, 1), write(s, 0), adds(s, 0));
    case kLoop:
    case kKernels: return;
  }
}

// Integers from `at` on: operands, two steps an operand, ops, five numbers an op; `reads` and `writes`: where its own begin.
Elementwise Worker::pass(const Step& s, size_t at, size_t reads, size_t writes) {
  const int64_t* n = s.integers.data() + at;
  Elementwise e = {};
  e.precision = schedule_->precision;
  e.nOperands = static_cast<int>(n[0]);
  e.steps = n + 1;
  const int64_t* code = e.steps + 2 * e.nOperands;
  e.nOps = static_cast<int>(*code++);
  Input* operands = scratch_.array<Input>(e.nOperands);
  for (int i = 0; i < e.nOperands; ++i) operands[i] = input(s, reads + i);
  ElementwiseOp* ops = scratch_.array<ElementwiseOp>(e.nOps);
  for (int i = 0; i < e.nOps; ++i) {
    const auto field = [&](int j) { return static_cast<int32_t>(code[5 * i + j]); };
    ops[i] = {field(0), field(1), field(2), field(3), field(4)};
  }
  e.nWrites = static_cast<int>(s.writes.size() - writes);
  Output* into = scratch_.array<Output>(e.nWrites);
  bool* add = scratch_.array<bool>(e.nWrites);
  for (int i = 0; i < e.nWrites; ++i) {
    into[i] = output(s, writes + i);
    add[i] = adds(s, writes + i);
  }
  e.nConstants = static_cast<int>(s.reals.size());
  e.operands = operands, e.ops = ops, e.constants = s.reals.data(), e.writes = into, e.adds = add;
  return e;
}

void Worker::elementwise(const Step& s) {
  const Integers n = integers(s);
  Elementwise e = pass(s, 2, 0, 0);
  e.rows = n[0], e.cols = n[1];
  schedule_->kernels->elementwise(e, scratch_);
}

// Reads: A, B, what C begins with, and for a pass that follows its operands, of which the first, C, is absent.
void Worker::matmul(const Step& s) {
  constexpr size_t kPass = 8;
  const Integers n = integers(s);
  const int64_t M = n[0], N = n[1], K = n[2];
  const void* B = packed(n[7], K, N, operand(s, 1, n[5], n[6]));
  const float* from = adds(s, 0) ? write(s, 0) : read<float>(s, 2);
  Elementwise then = {};
  const bool follows = s.integers.size() > kPass;
  if (follows) then = pass(s, kPass, 3, 1);
  then.rows = M, then.cols = N;
  schedule_->kernels->matmul(schedule_->precision, M, N, K, operand(s, 0, n[3], n[4]), B, from, write(s, 0), N,
                             follows ? &then : nullptr, scratch_);
}

void Worker::attention(const Step& s, bool gradient) {
  const auto& n = s.integers;
  const int64_t T = n[0], S = n[1], H = n[2], K = n[3], V = n[4];
  const size_t extra = gradient ? 6 : 3;
  const int32_t* start = read<int32_t>(s, extra);
  Attention a = {};
  a.T = T, a.S = S, a.nHeads = H, a.dHead = K, a.dHeadValue = V;
  a.causal = n[5] != 0;
  a.scale = s.reals[0];
  a.start = start ? *start : 0;
  a.seen = start ? *start + T : S;
  a.segments = read<int32_t>(s, extra + 1);
  a.q = operand(s, 0, H * K, 1), a.k = operand(s, 1, H * K, 1), a.v = operand(s, 2, H * V, 1);
  a.ldWeights = n[6];  // 0 where none are kept
  const Kernels& k = *schedule_->kernels;
  const auto into = [&](size_t i, int64_t size) {
    return Output{write(s, i) ? write(s, i) : scratch_.array<float>(size), halves(s.writes[i])};
  };
  if (!gradient) {
    a.out = into(0, T * H * V);
    a.lse = write(s, 1);
    a.weights = n[6] ? write(s, 2) : nullptr;
    return k.attention(schedule_->precision, a, scratch_);
  }
  a.out = {at(s.reads[3]), halves(s.reads[3])};
  (n[6] ? a.weights : a.lse) = read<float>(s, 4);
  const AttentionGrad g = {read<float>(s, 5), into(0, T * H * K), into(1, S * H * K), into(2, S * H * V),
                           read<float>(s, 8), read<float>(s, 9)};
  k.attentionGrad(schedule_->precision, a, g, scratch_);
}

void Worker::crossEntropy(const Step& s, bool gradient) {
  const Integers n = integers(s);
  const int64_t T = n[0], d = n[1], V = n[2];
  const float* w = read<float>(s, 1);
  CrossEntropy c = {T, d, V, operand(s, 0, d, 1), packed(n[3], d, V, {w, 1, d}), nullptr, read<int32_t>(s, 2)};
  const Kernels& k = *schedule_->kernels;
  if (!gradient) {
    float* losses = write(s, 0) ? write(s, 0) : scratch_.array<float>(T);
    float* predictions = write(s, 1) ? write(s, 1) : scratch_.array<float>(T);
    float* lse = write(s, 2) ? write(s, 2) : scratch_.array<float>(T);
    return k.crossEntropy(schedule_->precision, c, losses, reinterpret_cast<int32_t*>(predictions), lse, scratch_);
  }
  c.packedWT = packed(n[4], V, d, {w, d, 1});
  float* dx = write(s, 0) ? write(s, 0) : scratch_.array<float>(T * d);
  float* dw = write(s, 1) ? write(s, 1) : scratch_.array<float>(V * d);
  k.crossEntropyGrad(schedule_->precision, c, read<float>(s, 3), read<float>(s, 4), dx, dw, adds(s, 1), scratch_);
}

}  // namespace lathe
