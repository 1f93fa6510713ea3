// Ctrl-C in the midst of long work.
#pragma once

#include <atomic>
#include <stop_token>
#include <string>
#include <thread>

namespace ascribe::command {

/// While it lives, the first interruption (SIGINT) of this process asks for a stop and ends nothing; a second one ends
/// the process, as ever. Where interruptions were ignored before, they still are. One at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// Throws Error (stopped) when there was one; `path` is what would be written next.
  void check(const std::string& path) const;

 private:
  std::stop_source source_;
  std::atomic<bool> over_ = false;
  std::thread waiting_;
};

}  // namespace ascribe::command
