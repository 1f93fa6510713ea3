// What a layer takes, where a profile is wanted.
#pragma once

#include <chrono>
#include <cstddef>

namespace ascribe::attaching {

/// Adds the time that passes and the operators that this thread calls while it lives; what these call is not counted.
class Measuring {
 public:
  Measuring(double& seconds, std::size_t& operators);
  Measuring(const Measuring&) = delete;
  Measuring& operator=(const Measuring&) = delete;
  ~Measuring();

 private:
  double& seconds_;
  std::size_t& operators_;
  std::size_t before_;
  std::uint64_t callback_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace ascribe::attaching
