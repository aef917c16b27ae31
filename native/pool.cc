#include "pool.h"

#include <chrono>

namespace lathe {

namespace {

constexpr auto kSpin = std::chrono::microseconds(50);  // a step's next phase comes sooner than a sleeper wakes

// Waits a little for the condition without sleeping; whether it came true.
template <class F>
bool spin(F condition) {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i)
      if (condition()) return true;
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

}  // namespace

Pool::Pool(int threads) {
  try {
    for (int i = 1; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
  } catch (...) {
    stop();  // those that did start, or leaving them would end the process
    throw;
  }
}

Pool::~Pool() { stop(); }

void Pool::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    ++round_;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Pool::run(int64_t tasks, const std::function<void(int64_t, int)>& task) {
  std::lock_guard<std::mutex> one(running_);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    task_ = &task;
    tasks_ = tasks;
    next_ = 0;
    error_ = nullptr;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  wake_.notify_all();
  takeTasks(0);
  if (!spin([this] { return busy_.load() == 0; })) {
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_.load() == 0; });
  }
  if (error_) std::rethrow_exception(error_);
}

void Pool::takeTasks(int worker) {
  try {
    for (int64_t i; (i = next_.fetch_add(1)) < tasks_;) (*task_)(i, worker);
  } catch (...) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::current_exception();
    next_ = tasks_;
  }
}

void Pool::work(int worker) {
  for (uint64_t seen = 0;;) {
    if (!spin([&] { return round_.load() != seen; })) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      seen = round_.load();
      if (stop_) return;
    }
    takeTasks(worker);
    if (busy_.fetch_sub(1) == 1) {
      std::lock_guard<std::mutex> lock(mutex_);
      done_.notify_all();
    }
  }
}

}  // namespace lathe
