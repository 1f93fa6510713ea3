// How far long work is, for who waits in front of a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "ascribe/progress.hpp"

namespace ascribe::command {

/// A line on standard error, written again and again, gone at the end. It is there only where standard error is a
/// terminal, and the work takes longer than a second.
class ProgressLine {
 public:
  ProgressLine() = default;
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// To be told of each layer; it refers to this. Empty where there is no line.
  ProgressCallback callback();
  /// Shows what the work is at, of plain characters.
  void tell(const std::string& text);

  /// Whether standard error is a terminal that can show such a line, and how wide it is.
  static bool is_seen();
  static std::size_t width();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due();
  void show(const std::string& text);

  Clock::time_point next_ = Clock::now() + std::chrono::seconds(1);
  bool shown_ = false;
};

/// The line's text, of plain characters and no wider than `width`: "backward  12 of 45 layers  features.3 (conv2d)".
std::string progress_text(const Progress& progress, std::size_t width);

}  // namespace ascribe::command
