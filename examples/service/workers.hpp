// Threads that compute, and the queue in front of them.
//
// Who waits for a slow client is another thread (http_server.hpp): those here never wait for anything but work. There
// are as many as cores, and each runs LibTorch's operators on itself alone: N workers with N threads of their own each
// would be N² on N cores, and libgomp's spin for a while after each operator, taking the cores from each other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

class Workers {
 public:
  using Work = std::function<void(std::stop_token)>;

  /// `waiting` requests may stand in the queue; more are refused.
  Workers(std::size_t count, std::size_t waiting);
  /// Waits for what is under way.
  ~Workers();

  /// Does the work on one of the threads, and waits for it. Throws what the work throws; Failure (503): the queue is
  /// full, or its time, which counts from now on and in the queue, too, is over. Work is told to stop then by its
  /// token. May be called by several threads at once.
  void run(Work work, std::chrono::milliseconds time);

  std::size_t waiting() const;

 private:
  struct Job {
    Work work;
    std::stop_source stop{};
    bool done = false;
    std::exception_ptr failure{};
    std::condition_variable finished{};
  };

  void serve();

  const std::size_t most_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Job*> queue_;  // each lives on the stack of the run() that waits for it
  bool closing_ = false;
  std::vector<std::jthread> threads_;
};
