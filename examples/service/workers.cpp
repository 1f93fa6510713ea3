#include "workers.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "failure.hpp"

Workers::Workers(std::size_t count, std::size_t waiting) : most_waiting_(waiting) {
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { serve(); });
}

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  arrived_.notify_all();
}

void Workers::run(Work work, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  Job job{.work = std::move(work)};
  const Failure late(503, "late", "this took longer than a request may: " + std::to_string(time.count()) + " ms",
                     "try again later, or with a smaller picture");
  {
    std::unique_lock lock(mutex_);
    if (queue_.size() >= most_waiting_)
      throw Failure(503, "busy", std::to_string(queue_.size()) + " requests are waiting already",
                    "try again after the seconds in Retry-After");
    queue_.push_back(&job);
    arrived_.notify_one();
    if (!job.finished.wait_until(lock, deadline, [&] { return job.done; })) {
      job.stop.request_stop();
      if (auto place = std::ranges::find(queue_, &job); place != queue_.end()) {
        queue_.erase(place);
        throw late;
      }
      job.finished.wait(lock, [&] { return job.done; });  // soon: it looks at its token at each layer
    }
  }
  if (!job.failure) return;
  try {
    std::rethrow_exception(job.failure);
  } catch (const ascribe::Error& error) {
    if (error.diagnostics().front().code == ascribe::Code::stopped) throw late;
    throw;
  }
}

std::size_t Workers::waiting() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void Workers::serve() {
  at::set_num_threads(1);  // of this thread's operators
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [&] { return closing_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto* job = queue_.front();
    queue_.pop_front();
    lock.unlock();
    try {
      job->work(job->stop.get_token());
    } catch (...) {
      job->failure = std::current_exception();
    }
    lock.lock();
    job->done = true;
    job->finished.notify_one();  // under the lock: the job is gone as soon as its owner sees that it is done
  }
}
