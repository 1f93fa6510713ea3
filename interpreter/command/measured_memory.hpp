// How much memory work with tensors takes.
#pragma once

#include <cstdint>

namespace ascribe::command {

/// While it lives, what any thread takes from the CPU's allocator is counted. One at a time, and made and ended while
/// no other thread takes any.
class MeasuredMemory {
 public:
  MeasuredMemory();
  ~MeasuredMemory();
  MeasuredMemory(const MeasuredMemory&) = delete;
  MeasuredMemory& operator=(const MeasuredMemory&) = delete;

  /// In bytes, of what was taken since it lives.
  std::int64_t held() const;
  /// The most that was held at once since begin_peak().
  std::int64_t peak() const;
  void begin_peak();
};

}  // namespace ascribe::command
