// A Schedule with the sums of its groups and its packed parameters: what a compiled Program is at run time.
#pragma once
#include "pool.h"
#include "schedule.h"

namespace lathe {

// One run of one executable.
struct Job {
  class Executable* executable = nullptr;
  int64_t count = 0;
  double version = 0;
  std::vector<char*> parameters;
  std::vector<char*> arrays[kMemories];  // inputs, states, outputs: [count, …]
};

class Executable {
 public:
  // `timed`: the number of its kernels, where what each of them takes is to be known; else 0.
  Executable(Schedule schedule, std::vector<size_t> (&bytes)[kMemories], int groups, size_t timed);
  ~Executable();
  int groups() const { return groups_; }
  int64_t together() const { return schedule_.together; }
  // Packing tasks that a run needs first: one a pack, none when the parameters have not changed.
  int64_t packsToDo(const Job&) const;
  void pack(const Job&, int64_t i);
  void packed(const Job&);
  // Sequences begin … end-1 in order; what they add up goes to the sums of the group.
  void run(const Job&, int64_t begin, int64_t end, int group, Worker&);
  // Elements begin … end-1 of the groups' sum i, added up in group order, after what `into` holds when add is set. Returns the
  // sum of the squares of what it holds then.
  double reduce(int i, size_t begin, size_t end, bool add, float* into) const;
  // What was added up until now counts for nothing: it is reduced, or of a run that failed half-way.
  void clearSums();
  // What it holds once every group has run.
  int64_t bytes() const;
  const std::vector<Spent>& spent() const { return spent_; }
  size_t sums() const { return bytes_[kSum].size(); }
  size_t sumSize(int i) const { return bytes_[kSum][i] / 4; }

 private:
  std::vector<size_t> packSizes() const;

  Schedule schedule_;
  std::vector<size_t> bytes_[kMemories];  // of one sequence, per array
  int groups_;
  // A group's sums, and which of them hold anything: the first value is written over what was there before.
  struct Sums {
    std::vector<char*> data;  // empty until the group's first run
    std::vector<char> begun;
  };
  std::vector<Sums> sums_;  // per group
  std::vector<void*> packs_;
  std::vector<Spent> spent_;
  bool hasPacked_ = false;
  double version_ = 0;
};

// Runs jobs on a pool: packs first, then every group of every job.
void runJobs(Pool&, std::vector<Worker>& workers, std::vector<Job>& jobs);
// Into the array of each sum, unless it is null; what numbers[i] is not 0 for is added to what is there. Then numbers[i] is the
// sum of the squares of what its array holds.
void reduceSums(Pool&, Executable&, const std::vector<float*>& into, double* numbers);

}  // namespace lathe
