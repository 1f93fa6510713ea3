// How far a run over many inputs is.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace ascribe::command {

/// On standard error: on a terminal a line that is written again and again, elsewhere a line a minute.
class ManyProgress {
 public:
  /// `before`: how many of all were done by an earlier run.
  ManyProgress(std::size_t all, std::size_t before);
  ~ManyProgress();
  ManyProgress(const ManyProgress&) = delete;
  ManyProgress& operator=(const ManyProgress&) = delete;

  /// So many more are done, of which so many failed.
  void advance(std::size_t done, std::size_t failed);
  /// A message above the line.
  void say(const std::string& text);

  std::size_t done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string text() const;
  void show();
  void clear();

  std::size_t all_, before_, done_, failed_ = 0;
  Clock::time_point began_ = Clock::now(), next_ = began_ + std::chrono::seconds(1);
  bool terminal_, shown_ = false;
};

/// "46 s", "3 min", "1 h 20 min".
std::string shown_duration(double seconds);

}  // namespace ascribe::command
