// What one evaluation of a session may cost, and how it is stopped: by a limit, or by whoever waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>

#include "grammar/diagnostic.hpp"

namespace ascribe::repl {

struct Limits {
  std::size_t memory = std::size_t{4} << 30;  ///< bytes of tensors that an evaluation may add
  std::chrono::milliseconds time{std::chrono::minutes(5)};
};

/// Watches over one evaluation, from its construction to the end of its scope; one at a time in a process. Tensors on
/// the CPU get their memory from an allocator that counts, from the first guard on; it also is where an evaluation ends
/// that was stopped, since nearly every operator asks for memory.
class Guard {
 public:
  /// `interrupted` is asked again and again, on any thread that computes; once true, the evaluation ends.
  Guard(const Limits& limits, std::function<bool()> interrupted);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  /// Requested when the evaluation is to end.
  std::stop_token stop() const { return stop_.get_token(); }
  /// Throws where the evaluation is to end: what is thrown says nothing, the guard does.
  void check();

  bool was_interrupted() const { return reason_ == Reason::interruption; }
  /// Whether a limit was passed: then `diagnostic` is about it.
  bool passed_limit() const { return reason_ == Reason::memory || reason_ == Reason::time; }
  /// What to say about the limit that was passed.
  Diagnostic diagnostic() const;

  /// For the allocator: before it hands out memory.
  void allocate(std::size_t bytes, std::size_t in_use);

 private:
  enum class Reason { none, interruption, memory, time };
  [[noreturn]] void end(Reason reason);

  Limits limits_;
  std::function<bool()> interrupted_;
  std::chrono::steady_clock::time_point deadline_;
  std::size_t in_use_before_;
  std::stop_source stop_;
  std::atomic<Reason> reason_ = Reason::none;
};

/// `4 GiB`, `512 MiB`, `100 bytes`.
std::string shown_bytes(std::size_t bytes);

}  // namespace ascribe::repl
