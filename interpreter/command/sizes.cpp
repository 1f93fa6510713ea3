#include "interpreter/command/sizes.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "interpreter/command/measured_memory.hpp"

namespace ascribe::command {
namespace {

// In bytes; a gigabyte where the system does not say.
std::int64_t free_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;)
    if (word == "MemAvailable:" && file >> word) return std::stoll(word) * 1024;
  return 1 << 30;
}

// Places at which a model's parameters are used: pixels, or steps of a sequence.
double positions(const at::Tensor& x) {
  if (x.dim() < 2) return 1;
  if (x.dim() == 2) return x.is_floating_point() ? 1 : static_cast<double>(x.size(1));
  if (x.dim() == 3) return static_cast<double>(std::max(x.size(1), x.size(2)));
  return static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(x.size(0) * x.size(1), 1));
}

// Products of a parameter and a value, of one sample.
bool is_little_work(const std::string& model, const at::Tensor& x) {
  constexpr double little = 1e8;
  std::error_code failed;
  auto bytes = std::filesystem::file_size(model, failed);
  return !failed && static_cast<double>(bytes) / sizeof(float) * positions(x) < little;
}

}  // namespace

int sensible_threads(const std::string& model, const at::Tensor& x) {
  return is_little_work(model, x) ? 1 : at::get_num_threads();
}

std::int64_t sensible_batch_size(const Model& model, const std::string& file, const Composite& rules,
                                 const ChosenTarget& chosen, std::size_t place, const at::Tensor& x) {
  // A larger one is hardly quicker, and what is under way is lost when a run is cut.
  const std::int64_t most = is_little_work(file, x) ? 32 : 8;
  auto explain = [&](const at::Tensor& inputs) {
    std::vector<std::size_t> places(static_cast<std::size_t>(inputs.dim() == 0 ? 1 : inputs.size(0)), place);
    return attribute(model, rules, inputs, chosen.of(places), {.sum_embeddings = true, .sums = false});
  };
  MeasuredMemory memory;
  explain(x);
  if (x.dim() == 0 || x.size(0) == 0) return 1;
  try {
    auto both = at::cat({x, x});
    memory.begin_peak();
    auto before = memory.held();
    auto found = explain(both);
    if (found.sample_dimension != 0) return 1;
    auto each = std::max<std::int64_t>((memory.peak() - before) / 2, 1);
    return std::clamp<std::int64_t>(free_memory() / 4 / each, 1, most);
  } catch (const Error&) {
    return 1;
  }
}

}  // namespace ascribe::command
