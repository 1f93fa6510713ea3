#include "interpreter/command/report_table.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ascribe::command {
namespace {

constexpr std::int64_t most_predictions = 8;  // of a batch, as text

std::string shown(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }
std::string shown(const std::optional<double>& sum) { return sum ? fmt::format("{:.6g}", *sum) : ""; }
double total(const at::Tensor& tensor) { return tensor.sum(at::kDouble).item<double>(); }

struct Prediction {
  std::int64_t index;
  double value;
};

// Each sample's largest output, where outputs are [batch, classes].
std::vector<Prediction> predictions(const at::Tensor& output) {
  std::vector<Prediction> out;
  if (output.dim() != 2 || output.size(1) == 0) return out;
  for (std::int64_t i = 0; i < output.size(0); ++i) {
    auto index = output[i].argmax().item<std::int64_t>();
    out.push_back({index, output[i][index].item<double>()});
  }
  return out;
}

// Rows as lines whose columns stand below each other; the last column to the right.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], count_characters(row[i]));
  std::string out;
  for (auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto padding = std::string(widths[i] - count_characters(row[i]), ' ');
      bool last = i + 1 == row.size();
      out += last ? padding + row[i] + "\n" : row[i] + padding + "  ";
    }
  }
  return out;
}

}  // namespace

std::string describe_as_text(const Attribution& attribution, const std::string& rules) {
  auto out = fmt::format("rules: {}\n", rules);
  auto found = predictions(attribution.output);
  for (std::size_t i = 0; i < found.size() && i < most_predictions; ++i)
    out += fmt::format("prediction{}: {} (output {:.6g})\n", found.size() > 1 ? fmt::format(" of sample {}", i) : "",
                       found[i].index, found[i].value);
  if (found.size() > most_predictions) out += fmt::format("… and {} samples more\n", found.size() - most_predictions);
  std::vector<std::vector<std::string>> rows{{"layer", "kind", "rule", "relevance below"}};
  for (auto& layer : attribution.report) rows.push_back({layer.name, layer.kind, layer.rule, shown(layer.below)});
  out += "\n" + table(rows) + "\n";
  out += fmt::format("relevance of the input {}: sum {:.6g}, largest magnitude {:.6g}\n",
                     shown(attribution.relevance.sizes().vec()), total(attribution.relevance),
                     attribution.relevance.numel() == 0 ? 0 : attribution.relevance.abs().max().item<double>());
  return out;
}

std::string describe_as_json(const Attribution& attribution, const std::string& rules) {
  auto number = [](const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  nlohmann::json out{
      {"rules", rules},
      {"output", {{"shape", attribution.output.sizes().vec()}, {"predictions", nlohmann::json::array()}}},
      {"relevance", {{"shape", attribution.relevance.sizes().vec()}, {"sum", total(attribution.relevance)}}},
      {"layers", nlohmann::json::array()}};
  for (auto& each : predictions(attribution.output))
    out["output"]["predictions"].push_back({{"index", each.index}, {"value", each.value}});
  for (auto& layer : attribution.report)
    out["layers"].push_back({{"name", layer.name},
                             {"kind", layer.kind},
                             {"shape", layer.shape},
                             {"rule", layer.rule},
                             {"entry", layer.entry},
                             {"above", number(layer.above)},
                             {"below", number(layer.below)}});
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ascribe::command
