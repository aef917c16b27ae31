// Threads that share out numbered tasks.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lathe {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // Runs task(i, worker) for i in 0 … tasks-1 and returns when all are done; the caller is worker 0. Threads take the
  // next task when they are free, so which thread does what must not matter. The first exception is thrown again here.
  void run(int64_t tasks, const std::function<void(int64_t, int)>& task);

 private:
  void work(int worker);
  void stop();
  void takeTasks(int worker);

  std::vector<std::thread> threads_;
  std::mutex running_, mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int64_t, int)>* task_ = nullptr;
  std::atomic<int64_t> next_{0};
  std::atomic<uint64_t> round_{0};
  std::atomic<int> busy_{0};
  std::exception_ptr error_;
  int64_t tasks_ = 0;
  bool stop_ = false;
};

}  // namespace lathe
