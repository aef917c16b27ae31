#include "executable.h"

#include <algorithm>
#include <cstdlib>

#include "pages.h"

namespace lathe {

namespace {

// Arrays, each on cache lines of its own, in one block that begins with the first: all of them or none.
template <class T>
std::vector<T*> take(const std::vector<size_t>& sizes) {
  const auto lines = [](size_t bytes) { return (bytes + 63) / 64 * 64; };
  std::vector<T*> parts(sizes.size());
  size_t total = 0;
  for (size_t bytes : sizes) total += lines(bytes);
  if (total == 0) return parts;
  char* at = static_cast<char*>(takeMemory(total));
  for (size_t i = 0; i < sizes.size(); at += lines(sizes[i++])) parts[i] = reinterpret_cast<T*>(at);
  return parts;
}

template <class T>
void release(const std::vector<T*>& parts) {
  if (!parts.empty()) std::free(parts[0]);
}

}  // namespace

Executable::Executable(Schedule schedule, std::vector<size_t> (&bytes)[kMemories], int groups, size_t timed)
    : schedule_(std::move(schedule)), groups_(groups), sums_(groups), spent_(timed) {
  for (int m = 0; m < kMemories; ++m) bytes_[m] = bytes[m];
  packs_ = take<void>(packSizes());
}

Executable::~Executable() {
  for (const Sums& group : sums_) release(group.data);
  release(packs_);
}

int64_t Executable::packsToDo(const Job& job) const {
  return hasPacked_ && version_ == job.version ? 0 : static_cast<int64_t>(schedule_.packs.size());
}

void Executable::pack(const Job& job, int64_t i) {
  const Pack& p = schedule_.packs[i];
  const float* data = reinterpret_cast<const float*>(job.parameters[p.parameter]);
  schedule_.kernels->pack(schedule_.precision, p.K, p.N, {data, p.rowStep, p.columnStep}, packs_[i]);
}

void Executable::packed(const Job& job) {
  hasPacked_ = true;
  version_ = job.version;
}

void Executable::run(const Job& job, int64_t begin, int64_t end, int group, Worker& worker) {
  Sums& own = sums_[group];
  if (own.data.size() < sums()) {
    own.data = take<char>(bytes_[kSum]);
    own.begun.assign(sums(), false);
  }
  std::vector<char*> bases[kMemories];
  bases[kParameter] = job.parameters;
  bases[kSum] = own.data;
  for (int64_t sequence = begin; sequence < end; sequence += together()) {
    for (const Memory m : {kInput, kState, kOutput}) {
      bases[m] = job.arrays[m];
      for (size_t i = 0; i < bases[m].size(); ++i) bases[m][i] += sequence * bytes_[m][i];
    }
    worker.run(schedule_, std::min(together(), end - sequence), bases, own.begun, packs_, spent_.empty() ? nullptr : spent_.data());
  }
}

double Executable::reduce(int i, size_t begin, size_t end, bool add, float* into) const {
  std::vector<const float*> parts;
  for (const Sums& group : sums_)
    if (!group.data.empty() && group.begun[i]) parts.push_back(reinterpret_cast<const float*>(group.data[i]) + begin);
  return schedule_.kernels->addUp(static_cast<int>(parts.size()), parts.data(), static_cast<int64_t>(end - begin), add, into + begin);
}

void Executable::clearSums() {
  for (Sums& group : sums_) std::fill(group.begun.begin(), group.begun.end(), false);
}

std::vector<size_t> Executable::packSizes() const {
  std::vector<size_t> sizes;
  for (const Pack& p : schedule_.packs) sizes.push_back(schedule_.kernels->packedBytes(schedule_.precision, p.K, p.N));
  return sizes;
}

int64_t Executable::bytes() const {
  size_t all = 0;
  for (size_t bytes : packSizes()) all += bytes;
  for (size_t bytes : bytes_[kSum]) all += bytes * static_cast<size_t>(groups_);
  return static_cast<int64_t>(all);
}

namespace {

// What is left to run. The sequences of a group are worked off in their order, so that no number of threads changes the order
// of sums, by one worker at a time; those of a job that sums nothing by as many workers as there are.
class Queue {
 public:
  struct Part {
    Job* job;
    int group;
    int64_t next, end;  // sequences
    int64_t size;       // of them at a time
    bool alone, taken;
  };
  struct Piece {
    Part* part;
    int64_t begin, end;
  };

  void add(Job& job, int threads) {
    const Executable& executable = *job.executable;
    const bool sums = executable.sums() != 0;
    const int groups = sums ? executable.groups() : 1;
    const int64_t together = executable.together();
    const int64_t size = sums ? together : std::min(together, (job.count + threads - 1) / threads);
    for (int g = 0; g < groups; ++g) {
      const int64_t begin = job.count * g / groups, end = job.count * (g + 1) / groups;
      if (begin < end) parts_.push_back({&job, g, begin, end, size, sums, false});
    }
  }

  // Puts back what a worker is done with, unless it is null, and takes what it does next, of the part with most left: so all
  // end at about the same time. False where nothing is left for it.
  bool take(Piece& piece) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (piece.part) piece.part->taken = false;
    Part* most = nullptr;
    for (Part& part : parts_)
      if (!part.taken && part.next < part.end && (!most || part.end - part.next > most->end - most->next)) most = &part;
    if (!most) return false;
    piece = {most, most->next, std::min(most->end, most->next + most->size)};
    most->next = piece.end;
    most->taken = most->alone;
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<Part> parts_;
};

}  // namespace

void runJobs(Pool& pool, std::vector<Worker>& workers, std::vector<Job>& jobs) {
  struct Packing {
    Job* job;
    int64_t pack;
  };
  std::vector<Packing> packs;
  Queue queue;
  std::vector<Job*> toPack;
  for (Job& job : jobs) {
    const bool first = std::none_of(toPack.begin(), toPack.end(), [&](Job* j) { return j->executable == job.executable; });
    for (int64_t i = 0; first && i < job.executable->packsToDo(job); ++i) packs.push_back({&job, i});
    if (first) toPack.push_back(&job);
    queue.add(job, pool.size());
  }
  if (!packs.empty())
    pool.run(static_cast<int64_t>(packs.size()), [&](int64_t i, int) { packs[i].job->executable->pack(*packs[i].job, packs[i].pack); });
  for (Job* job : toPack) job->executable->packed(*job);
  std::atomic<bool> failed{false};
  try {
    pool.run(pool.size(), [&](int64_t, int worker) {
      try {
        for (Queue::Piece piece{}; !failed && queue.take(piece);)
          piece.part->job->executable->run(*piece.part->job, piece.begin, piece.end, piece.part->group, workers[worker]);
      } catch (...) {
        failed = true;
        throw;
      }
    });
  } catch (...) {
    for (Job& job : jobs) job.executable->clearSums();
    throw;
  }
}

void reduceSums(Pool& pool, Executable& executable, const std::vector<float*>& into, double* numbers) {
  constexpr size_t kChunk = 1 << 15;
  struct Task {
    int sum;
    size_t begin, end;
    double squares;
  };
  std::vector<Task> tasks;
  for (size_t i = 0; i < executable.sums(); ++i)
    for (size_t at = 0, size = executable.sumSize(static_cast<int>(i)); into[i] && at < size; at += kChunk)
      tasks.push_back({static_cast<int>(i), at, std::min(size, at + kChunk), 0});
  pool.run(static_cast<int64_t>(tasks.size()), [&](int64_t t, int) {
    Task& own = tasks[t];
    own.squares = executable.reduce(own.sum, own.begin, own.end, numbers[own.sum] != 0, into[own.sum]);
  });
  std::fill(numbers, numbers + executable.sums(), 0.0);
  for (const Task& task : tasks) numbers[task.sum] += task.squares;
  executable.clearSums();
}

}  // namespace lathe
