#include "interpreter/command/outcome.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "grammar/filled_text.hpp"
#include "interpreter/attribute/target.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/tokens.hpp"

namespace ascribe::command {
namespace {

constexpr std::int64_t most_starts = 16;

std::vector<Scored> scored(const at::Tensor& values, const at::Tensor& indices) {
  std::vector<Scored> out;
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    auto index = indices[i].item<std::int64_t>();
    out.push_back({index, values[index].item<double>()});
  }
  return out;
}

}  // namespace

at::Tensor chosen_among(const at::Tensor& output, const Attribution& attribution, const Target& target) {
  if (target.position().empty()) return output;
  attributing::Layout layout{.samples = attribution.sample_dimension};
  return attributing::at_place(output, attributing::place_of(output.sizes(), target.position(), layout));
}

Labels Labels::read(const std::string& path) { return {path, read_lines(path, "labels")}; }

std::string Labels::of(std::int64_t index) const {
  auto place = static_cast<std::size_t>(index);
  return place < names.size() ? names[place] : std::string();
}

std::string Labels::told(std::int64_t index) const {
  auto name = of(index);
  return name.empty() ? filled("{}", index) : filled("{} {}", index, without_controls(name));
}

void Labels::check(std::int64_t outputs) const {
  if (path.empty() || outputs == 0 || outputs == static_cast<std::int64_t>(names.size())) return;
  throw usage_error(filled("--labels {} has {} name{}, and the model {} output{}", path, names.size(),
                           names.size() == 1 ? "" : "s", outputs, outputs == 1 ? "" : "s"),
                    "give a file with one name on each line, in the order of the outputs");
}

nlohmann::json as_json(const std::vector<Scored>& scored, const Labels& labels) {
  auto out = nlohmann::json::array();
  for (auto& each : scored) {
    out.push_back({{"index", each.index}, {"value", each.value}});
    if (!labels.path.empty()) out.back()["label"] = labels.of(each.index);
  }
  return out;
}

at::Tensor first_explained(const std::vector<at::Tensor>& inputs, const Attribution& attribution) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (attribution.relevances.at(i).defined() && attribution.relevances[i].is_same(attribution.relevance))
      return inputs[i];
  return inputs.front();
}

Outcome outcome_of(const Attribution& attribution, const Target& target, std::int64_t most) {
  auto output = chosen_among(attribution.output, attribution, target).to(at::kCPU, at::kDouble);
  if (output.dim() != 2 || output.size(1) == 0) return {};
  auto start = chosen_among(attribution.start, attribution, target).to(at::kCPU, at::kDouble);
  Outcome out{.classes = output.size(1)};
  auto largest = std::get<1>(output.topk(std::min(most, output.size(1)), 1));
  for (std::int64_t i = 0; i < output.size(0); ++i) {
    out.largest.push_back(scored(output[i], largest[i]));
    auto begins = start[i].nonzero().flatten();
    out.starts.push_back(begins.numel() > most_starts ? std::vector<Scored>() : scored(start[i], begins));
  }
  return out;
}

}  // namespace ascribe::command
