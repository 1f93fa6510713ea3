// Random choices that depend on a name alone: whoever has a case's name can draw it again.
#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace ascribe::drawn {

using Shape = std::vector<std::int64_t>;

class Draw {
 public:
  explicit Draw(const std::string& name) : engine_(hash(name)) {}

  /// From `low` to `high`, both included.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability; }
  /// With three digits behind the point, so that descriptions can be read, and typed.
  double number(double low, double high) {
    return std::round(1000 * (low + (high - low) * static_cast<double>(integer(0, 1000)) / 1000)) / 1000;
  }
  template <typename Value>
  const Value& one_of(const std::vector<Value>& values) {
    return values[static_cast<std::size_t>(integer(0, static_cast<std::int64_t>(values.size()) - 1))];
  }
  std::vector<std::int64_t> integers(std::size_t count, std::int64_t low, std::int64_t high) {
    std::vector<std::int64_t> out(count);
    for (auto& each : out) each = integer(low, high);
    return out;
  }

  /// Normally distributed; double precision.
  at::Tensor normal(at::IntArrayRef shape) {
    return at::randn(shape, at::detail::createCPUGenerator(engine_()), at::kDouble);
  }
  /// Between -1 and 1; double precision.
  at::Tensor uniform(at::IntArrayRef shape) {
    return at::rand(shape, at::detail::createCPUGenerator(engine_()), at::kDouble) * 2 - 1;
  }
  /// `values`, some of them 0.
  at::Tensor with_zeros(const at::Tensor& values, double probability) {
    return at::where(uniform(values.sizes()) < 2 * probability - 1, at::zeros_like(values), values);
  }

 private:
  // FNV-1a: the same on every machine, which std::hash need not be.
  static std::uint64_t hash(const std::string& name) {
    std::uint64_t out = 14695981039346656037U;
    for (unsigned char each : name) out = (out ^ each) * 1099511628211U;
    return out;
  }

  std::mt19937_64 engine_;
};

}  // namespace ascribe::drawn
