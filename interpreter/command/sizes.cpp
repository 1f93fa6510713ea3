#include "interpreter/command/sizes.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

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

BatchProbe::BatchProbe(const Model& model, std::string file, const Composite& rules, const ChosenTarget& chosen,
                       std::stop_token stop)
    : model_(model), file_(std::move(file)), rules_(rules), chosen_(chosen), stop_(std::move(stop)) {}

Attribution BatchProbe::explain(const at::Tensor& x, std::size_t place) const {
  std::vector<std::size_t> places(static_cast<std::size_t>(x.dim() == 0 ? 1 : x.size(0)), place);
  return attribute(model_, rules_, x, chosen_.of(places), {.sum_embeddings = true, .sums = false, .stop = stop_});
}

std::optional<std::int64_t> BatchProbe::sample_dimension(std::size_t place, const at::Tensor& x) {
  alone_ = explain(x, place);
  return alone_.sample_dimension;
}

std::int64_t BatchProbe::batch_size(std::size_t place, const at::Tensor& x) const {
  // A larger one is hardly quicker, and what is under way is lost when a run is cut.
  const std::int64_t most = is_little_work(file_, x) ? 32 : 8;
  if (x.dim() == 0 || x.size(0) == 0 || alone_.sample_dimension != 0) return 1;
  try {
    auto other = x.roll(1, -1);
    MeasuredMemory memory;
    std::int64_t each = 1;
    // Two numbers, since one may be that of something else that the output counts.
    for (auto& several : {at::cat({x, other}), at::cat({x, other, other})}) {
      memory.begin_peak();
      auto before = memory.held();
      auto found = explain(several, place);
      each = std::max(each, (memory.peak() - before) * x.size(0) / several.size(0));
      if (found.sample_dimension != 0) return 1;
      auto first = found.output.narrow(0, 0, x.size(0)).to(at::kDouble), expected = alone_.output.to(at::kDouble);
      auto size = expected.abs().max().item<double>();
      if (first.sizes() != expected.sizes() || !((first - expected).abs().max().item<double>() <= 1e-3 * size))
        return 1;
    }
    return std::clamp<std::int64_t>(free_memory() / 4 / each, 1, most);
  } catch (const Error& error) {
    if (error.diagnostics().front().code == Code::stopped) throw;
    return 1;
  }
}

}  // namespace ascribe::command
