#include "interpreter/command/report_table.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/evaluate/evaluator.hpp"

namespace ascribe::command {
namespace {

constexpr std::int64_t most_predictions = 8;  // of a batch, as text

std::string shown(const std::optional<double>& sum) {
  if (!sum) return "";
  return std::isnan(*sum) ? "nan" : filled("{:.5g}", *sum);  // of a NaN, the sign means nothing
}
// What rounding leaves is nothing.
std::string shown_rest(const LayerReport& layer) {
  constexpr double rounding = 1e-5;
  auto rest = layer.rest();
  if (!rest || std::abs(*rest) > rounding * std::abs(*layer.above)) return shown(rest);
  return layer.bias ? "0" : "";  // of rules that only hand down what they get, there is nothing to tell
}

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

// Where that is not at dimension 0.
std::string where_samples_are(const Attribution& attribution) {
  auto sizes = attribution.output.sizes().vec();
  bool either = sizes.size() > 2 && sizes[0] == sizes[1] && sizes[0] > 1;
  if (either && attribution.sample_dimension == 0)
    return filled(
        "dimensions 0 and 1 of the output {} could both count samples: 0 is taken to, and a target is an index "
        "along 1; another number of samples makes it certain\n",
        shown_shape(sizes));
  if (sizes.size() == 3 && attribution.sample_dimension == 0 && sizes[1] > 1 && sizes[2] > 1)
    return filled("a target is an index along dimension 1 of the output {}; with --position, along the last one\n",
                  shown_shape(sizes));
  if (sizes.size() < 2 || attribution.sample_dimension == 0) return "";
  if (!attribution.sample_dimension)
    return filled("no dimension of the output {} counts samples\n", shown_shape(sizes));
  return filled("dimension {} of the output {} counts samples, the last one is what a target is an index of\n",
                *attribution.sample_dimension, shown_shape(sizes));
}

// Whether a layer keeps its gradient because no entry is for it. What only moves numbers about, and embeddings, which
// end relevance in any case, need none.
bool lacks_rule(const LayerReport& layer) {
  return layer.entry.empty() && layer.rule == "gradient" && layer.kind != "embedding";
}

// Which share of the layers on the way from input to output has a rule, and which have none, by name.
struct Coverage {
  std::size_t layers = 0;
  std::vector<std::string> without;
};

Coverage coverage_of(const Report& report) {
  Coverage out;
  for (auto& layer : report) {
    out.layers += layer.rule != "indices" && layer.kind != "embedding";
    if (lacks_rule(layer)) out.without.push_back(filled("{} ({})", layer.name, layer.kind));
  }
  return out;
}

std::string shown(const Coverage& coverage) {
  if (coverage.layers == 0) return "";
  auto with = coverage.layers - coverage.without.size();
  auto out = filled("{} of {} layers have a rule ({:.3g} %)\n", with, coverage.layers,
                    100 * static_cast<double>(with) / static_cast<double>(coverage.layers));
  if (!coverage.without.empty())
    out += filled("without one, so that they keep their gradient: {}\n", fmt::join(coverage.without, ", "));
  return out;
}

// `max_pool2d (3 calls), mul`: what kept its gradient because no entry was for it.
std::string without_entry(const Report& report) {
  std::vector<std::pair<std::string, int>> kinds;
  for (auto& layer : report) {
    if (!lacks_rule(layer)) continue;
    auto found = std::find_if(kinds.begin(), kinds.end(), [&](auto& each) { return each.first == layer.kind; });
    if (found == kinds.end()) found = kinds.insert(kinds.end(), {layer.kind, 0});
    ++found->second;
  }
  std::vector<std::string> words;
  for (auto& [kind, calls] : kinds) words.push_back(calls == 1 ? kind : filled("{} ({} calls)", kind, calls));
  return words.empty() ? "" : filled("no entry is for, so that they keep their gradient: {}\n", fmt::join(words, ", "));
}

// What all layers together kept of the relevance, so that it adds up: what relevance started from is what the inputs
// got and all of these.
std::string losses(const Report& report) {
  double bias = 0, stabilizer = 0, rest = 0, gradients = 0, indices = 0, largest = 0;
  bool known = false;
  for (auto& layer : report) {
    known = known || layer.bias;
    bias += layer.bias.value_or(0);
    stabilizer += layer.stabilizer.value_or(0);
    if (!layer.above || !layer.below) continue;
    largest = std::max(largest, std::abs(*layer.above));
    auto taken = *layer.above - *layer.below;
    if (layer.rule == "gradient")
      gradients += taken;
    else if (layer.rule == "indices")
      indices += taken;
    else
      rest += taken - layer.bias.value_or(0) - layer.stabilizer.value_or(0);
  }
  if (!known) return "";
  auto out = filled("biases took {:.5g}, stabilizers {:.5g}", bias, stabilizer);
  // What rounding leaves is nothing.
  auto worth_telling = [&](double part) { return std::abs(part) > 1e-5 * largest; };
  if (worth_telling(rest)) out += filled(", rules otherwise {:.5g}", rest);
  if (worth_telling(gradients)) out += filled(", kept gradients {:.5g}", gradients);
  if (worth_telling(indices)) out += filled(", padding and constants {:.5g}", indices);
  return out + "\n";
}

nlohmann::json as_json(const Report& report) {
  auto number = [](const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  auto out = nlohmann::json::array();
  for (auto& layer : report) {
    out.push_back({{"name", layer.name},
                   {"kind", layer.kind},
                   {"shape", layer.shape},
                   {"rule", layer.rule},
                   {"entry", layer.entry},
                   {"inputs", layer.inputs},
                   {"above", number(layer.above)},
                   {"below", number(layer.below)},
                   {"bias", number(layer.bias)},
                   {"stabilizer", number(layer.stabilizer)},
                   {"rest", number(layer.rest())}});
    if (!layer.cost) continue;
    auto& cost = *layer.cost;
    out.back()["cost"] = {{"forward_seconds", cost.forward_seconds},
                          {"backward_seconds", cost.backward_seconds},
                          {"forward_operators", cost.forward_operators},
                          {"backward_operators", cost.backward_operators},
                          {"kept_bytes", cost.kept_bytes}};
  }
  return out;
}

std::string dump(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t from_right) {
  std::vector<std::size_t> widths(rows.front().size());
  std::vector<bool> used(widths.size());
  for (auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], count_characters(row[i]));
      used[i] = used[i] || (&row != &rows.front() && !row[i].empty());
    }
  std::string out;
  for (auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!used[i]) continue;
      auto padding = std::string(widths[i] - count_characters(row[i]), ' ');
      line += (line.empty() ? "" : "  ") + (i >= from_right ? padding + row[i] : row[i] + padding);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string describe_as_text(const Attribution& attribution, const std::string& rules) {
  auto out = filled("rules: {}\n", rules);
  auto found = predictions(attribution.output);
  for (std::size_t i = 0; i < found.size() && i < most_predictions; ++i)
    out += filled("prediction{}: {} (output {:.6g})\n", found.size() > 1 ? filled(" of sample {}", i) : "",
                  found[i].index, found[i].value);
  if (found.size() > most_predictions) out += filled("… and {} samples more\n", found.size() - most_predictions);
  out += where_samples_are(attribution);
  std::vector<std::vector<std::string>> rows{
      {"layer", "kind", "output", "rule", "entry", "above", "below", "bias", "stabilizer", "rest"}};
  for (auto& layer : attribution.report)
    rows.push_back({layer.name, layer.kind, shown_shape(layer.shape), layer.rule, layer.entry, shown(layer.above),
                    shown(layer.below), shown(layer.bias), shown(layer.stabilizer), shown_rest(layer)});
  out += "\n" + table(rows, 5) + "\n" + losses(attribution.report) + without_entry(attribution.report);
  if (attribution.relevance.defined())
    out += filled("relevance of the input {}: sum {:.6g}, largest magnitude {:.6g}\n",
                  shown_shape(attribution.relevance.sizes().vec()), evaluate::total(attribution.relevance),
                  attribution.relevance.numel() == 0 ? 0 : attribution.relevance.abs().max().item<double>());
  return out;
}

std::string describe_layers_as_text(const Report& report, bool with_rules) {
  std::vector<std::vector<std::string>> rows{{"layer", "kind", "output"}};
  if (with_rules) rows.front().insert(rows.front().end(), {"rule", "entry"});
  for (auto& layer : report) {
    rows.push_back({layer.name, layer.kind, shown_shape(layer.shape)});
    if (with_rules) rows.back().insert(rows.back().end(), {layer.rule, layer.entry});
  }
  return table(rows, rows.front().size()) + (with_rules ? "\n" + shown(coverage_of(report)) : "");
}

std::string describe_layers_as_json(const Report& report, bool with_rules) {
  nlohmann::json out{{"layers", as_json(report)}};
  auto coverage = coverage_of(report);
  if (with_rules) out["coverage"] = {{"layers", coverage.layers}, {"without_rule", coverage.without}};
  return dump(out);
}

std::string describe_as_json(const Attribution& attribution, const std::string& rules, const TokenRelevance* tokens) {
  nlohmann::json out{{"rules", rules},
                     {"output",
                      {{"shape", attribution.output.sizes().vec()},
                       {"sample_dimension", attribution.sample_dimension ? nlohmann::json(*attribution.sample_dimension)
                                                                         : nlohmann::json()},
                       {"predictions", nlohmann::json::array()}}},
                     {"relevance", nlohmann::json()},
                     {"layers", as_json(attribution.report)}};
  if (auto& R = attribution.relevance; R.defined())
    out["relevance"] = {{"shape", R.sizes().vec()}, {"sum", evaluate::total(R)}};
  for (std::size_t i = 0; tokens && i < tokens->tokens.size(); ++i) {
    out["tokens"].push_back(nlohmann::json::array());
    for (std::size_t k = 0; k < tokens->tokens[i].size(); ++k) {
      auto value = tokens->relevance[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(k)].item<double>();
      out["tokens"].back().push_back({{"token", tokens->tokens[i][k]}, {"relevance", value}});
    }
  }
  for (auto& each : predictions(attribution.output))
    out["output"]["predictions"].push_back({{"index", each.index}, {"value", each.value}});
  return dump(out);
}

std::string describe_costs(const Report& report) {
  constexpr double milli = 1e3, mega = 1e6;
  constexpr std::size_t longest_bar = 30;
  std::vector<std::vector<std::string>> rows{
      {"layer", "kind", "rule", "forward ms", "operators", "backward ms", "operators", "kept MB", "share"}};
  double whole = 0, largest = 0;
  for (auto& layer : report)
    if (layer.cost) {
      auto both = layer.cost->forward_seconds + layer.cost->backward_seconds;
      whole += both;
      largest = std::max(largest, both);
    }
  std::vector<std::string> bars{""};
  for (auto& layer : report) {
    if (!layer.cost) continue;
    auto& cost = *layer.cost;
    auto both = cost.forward_seconds + cost.backward_seconds;
    rows.push_back({layer.name, layer.kind, layer.rule, filled("{:.3f}", milli * cost.forward_seconds),
                    filled("{}", cost.forward_operators), filled("{:.3f}", milli * cost.backward_seconds),
                    filled("{}", cost.backward_operators),
                    filled("{:.3f}", static_cast<double>(cost.kept_bytes) / mega),
                    filled("{:.1f} %", 100 * both / whole)});
    std::string bar = "  ";
    for (auto i = std::lround(static_cast<double>(longest_bar) * both / largest); i > 0; --i) bar += "█";
    bars.push_back(std::move(bar));
  }
  std::string out;
  std::istringstream lines(table(rows, 3));
  std::string line;
  for (std::size_t i = 0; std::getline(lines, line); ++i) out += line + (i < bars.size() ? bars[i] : "") + "\n";
  return out + filled("{:.3f} ms in layers that have a rule\n", milli * whole);
}

}  // namespace ascribe::command
