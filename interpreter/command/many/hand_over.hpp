// Work that goes from thread to thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <queue>
#include <utility>

namespace ascribe::command {

/// What one thread hands over to another, in order.
template <typename T>
class HandOver {
 public:
  void put(T value) {
    std::lock_guard lock(mutex_);
    waiting_.push(std::move(value));
    changed_.notify_all();
  }
  /// Nothing more comes; what waits is still taken.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  /// The next; waits for it. Nothing after the last.
  std::optional<T> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return {};
    auto out = std::move(waiting_.front());
    waiting_.pop();
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<T> waiting_;
  bool closed_ = false;
};

/// How many may be under way at once. A place is given back by whoever finishes.
class Places {
 public:
  explicit Places(int free) : free_(free) {}
  /// False where there will be no work any more.
  bool take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || free_ > 0; });
    if (closed_) return false;
    --free_;
    return true;
  }
  void give_back() {
    std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_all();
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int free_;
  bool closed_ = false;
};

}  // namespace ascribe::command
