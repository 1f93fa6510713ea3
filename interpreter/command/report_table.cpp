#include "interpreter/command/report_table.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/command/table.hpp"
#include "interpreter/evaluate/evaluator.hpp"

namespace ascribe::command {
namespace {

constexpr std::size_t most_predictions = 8;  // of a batch, as text

// `zplus(…)`: enough to tell rules apart.
std::string without_arguments(const std::string& rule) {
  auto open = rule.find('(');
  return open == std::string::npos || !rule.ends_with(')') ? rule : rule.substr(0, open) + "(…)";
}

// `composites.rule:20:3`
std::string without_folders(const std::string& place) {
  auto slash = place.find_last_of('/');
  return slash == std::string::npos ? place : place.substr(slash + 1);
}

std::string shown(const std::optional<double>& sum) {
  if (!sum) return "";
  return std::isnan(*sum) ? "nan" : filled("{:.5g}", *sum);  // of a NaN, the sign means nothing
}
// What rounding leaves is nothing.
std::string shown_rest(const LayerReport& layer) {
  constexpr double rounding = 1e-5;
  auto rest = layer.rest();
  if (!rest || !(std::abs(*rest) <= rounding * std::abs(*layer.above))) return shown(rest);
  return layer.bias ? "0" : "";  // of rules that only hand down what they get, there is nothing to tell
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
struct Losses {
  double bias = 0, stabilizer = 0, rules = 0, gradients = 0, indices = 0;
  double largest = 0;  // of the layers' sums
  bool known = false;

  explicit Losses(const Report& report) {
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
        rules += taken - layer.bias.value_or(0) - layer.stabilizer.value_or(0);
    }
  }
  // What rounding leaves is nothing.
  bool is_worth_telling(double part) const { return std::abs(part) > 1e-5 * largest; }
};

// The layers at which most of it stayed, and those that handed on more or less than bias and stabilizer account for.
std::string whereabouts(const Report& report, const Losses& losses) {
  constexpr std::size_t most = 3;
  std::vector<std::pair<double, std::string>> stayed, scaled;
  for (auto& layer : report) {
    if (!layer.above || !layer.below) continue;
    auto taken = *layer.above - *layer.below;
    if (losses.is_worth_telling(taken)) stayed.emplace_back(std::abs(taken), filled("{} ({:.5g})", layer.name, taken));
    if (auto rest = *layer.rest(); losses.is_worth_telling(rest) && *layer.above != 0)
      scaled.emplace_back(std::abs(rest), filled("{} (× {:.4g}, {})", layer.name, *layer.below / *layer.above,
                                                 without_arguments(layer.rule)));
  }
  auto told = [&](const char* what, std::vector<std::pair<double, std::string>>& layers) -> std::string {
    if (layers.empty()) return "";
    std::stable_sort(layers.begin(), layers.end(), [](auto& a, auto& b) { return a.first > b.first; });
    std::vector<std::string> names;
    for (auto& [size, name] : layers)
      if (names.size() < most) names.push_back(name);
    return filled("{} {}{}\n", what, fmt::join(names, ", "),
                  layers.size() > most
                      ? filled(", and {} other{}", layers.size() - most, layers.size() == most + 1 ? "" : "s")
                      : "");
  };
  return told("most of it stayed at", stayed) + told("scaled by", scaled);
}

std::optional<double> arrived(const Attribution& attribution) {
  std::optional<double> out;
  for (auto& each : attribution.relevances)
    if (each.defined()) out = out.value_or(0) + evaluate::total(each);
  return out;
}

// How much of what relevance started from arrived, and who kept the rest.
std::string losses_as_text(const Attribution& attribution) {
  Losses losses(attribution.report);
  if (!losses.known && losses.largest == 0) return "";
  auto start = evaluate::total(attribution.start);
  auto share = [&](double part) {
    bool tells = std::abs(start) > 1e-6 * losses.largest && losses.is_worth_telling(part);
    return tells ? filled(" ({:.3g} %)", 100 * part / start) : std::string();
  };
  auto out = filled("{:.6g} started", start);
  if (auto sum = arrived(attribution)) out += filled(", {:.6g}{} arrived", *sum, share(*sum));
  if (losses.known)
    out += filled("; biases took {:.5g}{}, stabilizers {:.5g}{}", losses.bias, share(losses.bias), losses.stabilizer,
                  share(losses.stabilizer));
  auto add = [&](const char* who, double part) {
    if (losses.is_worth_telling(part)) out += filled(", {} {:.5g}{}", who, part, share(part));
  };
  add("rules otherwise", losses.rules);
  add("kept gradients", losses.gradients);
  add("padding and constants", losses.indices);
  return out + "\n" + whereabouts(attribution.report, losses);
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

std::string as_text(const Scored& scored, const Labels& labels) {
  return filled("{} (output {:.6g})", labels.told(scored.index), scored.value);
}

// What the model said of each sample, and what is explained where that is something else.
std::string samples_as_text(const Told& told) {
  auto& [classes, largest, starts] = told.outcome;
  std::string out;
  for (std::size_t i = 0; i < largest.size() && i < most_predictions; ++i) {
    auto of = largest.size() > 1 ? filled(" of sample {}", i) : "";
    out += filled("prediction{}: {}\n", of, as_text(largest[i].front(), told.labels));
    bool same = starts[i].size() == 1 && starts[i].front().index == largest[i].front().index;
    if (starts[i].empty() || same) continue;
    std::vector<std::string> each;
    for (auto& one : starts[i])
      each.push_back(filled("{} (starts with {:.6g})", told.labels.told(one.index), one.value));
    out += filled("target{}: {}\n", of, fmt::join(each, ", "));
  }
  if (largest.size() > most_predictions) out += filled("… and {} samples more\n", largest.size() - most_predictions);
  return out;
}

std::string dump(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string describe_as_text(const Attribution& attribution, const Told& told, std::optional<std::size_t> width) {
  auto out = filled("rules: {}\n", told.rules);
  out += samples_as_text(told) + where_samples_are(attribution);
  Table layers{.columns = {{.title = "layer"},
                           {.title = "kind", .worth = 3},
                           {.title = "output", .worth = 1},
                           {.title = "rule", .shortened = without_arguments, .worth = 6},
                           {.title = "entry", .shortened = without_folders, .worth = 0},
                           {.title = "above", .to_the_right = true, .worth = 7},
                           {.title = "below", .to_the_right = true, .worth = 8},
                           {.title = "bias", .to_the_right = true, .worth = 5},
                           {.title = "stabilizer", .to_the_right = true, .worth = 2},
                           {.title = "rest", .to_the_right = true, .worth = 4}},
               .rows = {}};
  for (auto& layer : attribution.report)
    layers.rows.push_back({layer.name, layer.kind, shown_shape(layer.shape), layer.rule, layer.entry,
                           shown(layer.above), shown(layer.below), shown(layer.bias), shown(layer.stabilizer),
                           shown_rest(layer)});
  out += "\n" + fitted(layers, width) + "\n" + losses_as_text(attribution) + without_entry(attribution.report);
  if (attribution.relevance.defined())
    out += filled("relevance of the input {}: sum {:.6g}, largest magnitude {:.6g}\n",
                  shown_shape(attribution.relevance.sizes().vec()), evaluate::total(attribution.relevance),
                  attribution.relevance.numel() == 0 ? 0 : attribution.relevance.abs().max().item<double>());
  return out;
}

namespace {

// The parts of layers' names, below each other: rows of their layers are at the ends.
struct Branch {
  std::string name;
  std::vector<const LayerReport*> layers{};  // calls of the module itself
  std::vector<Branch> branches{};            // in the order of their first layers

  void add(std::string_view rest, const LayerReport& layer) {
    if (rest.empty()) return layers.push_back(&layer);
    auto end = std::min(rest.find('.'), rest.size());
    auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    auto found = std::find_if(branches.begin(), branches.end(), [&](auto& each) { return each.name == part; });
    if (found == branches.end()) found = branches.insert(found, {std::string(part)});
    found->add(rest, layer);
  }
  template <typename Row>
  void show(const std::string& before, const Row& row) const {
    for (auto& each : branches) {
      bool last = &each == &branches.back();
      auto name = before + (last ? "└─ " : "├─ ") + each.name;
      row(name, each.layers.empty() ? nullptr : each.layers.front());
      for (std::size_t i = 1; i < each.layers.size(); ++i)
        row(before + (last ? "   " : "│  ") + filled("(call {})", i + 1), each.layers[i]);
      each.show(before + (last ? "   " : "│  "), row);
    }
  }
};

}  // namespace

std::string describe_layers_as_text(const Report& report, bool with_rules, bool as_tree,
                                    std::optional<std::size_t> width) {
  Table layers{.columns = {{.title = "layer"}, {.title = "kind", .worth = 3}, {.title = "output", .worth = 1}},
               .rows = {}};
  if (with_rules) {
    layers.columns.push_back({.title = "rule", .shortened = without_arguments, .worth = 4});
    layers.columns.push_back({.title = "entry", .shortened = without_folders, .worth = 0});
  }
  auto row = [&](const std::string& name, const LayerReport* layer) {
    layers.rows.push_back({name});
    auto& cells = layers.rows.back();
    if (layer) cells.insert(cells.end(), {layer->kind, shown_shape(layer->shape)});
    if (layer && with_rules) cells.insert(cells.end(), {layer->rule, layer->entry});
    cells.resize(layers.columns.size());
  };
  if (as_tree) {
    Branch root{""};
    for (auto& layer : report) root.add(layer.name, layer);
    root.show("", row);
  } else {
    for (auto& layer : report) row(layer.name, &layer);
  }
  return fitted(layers, width) + (with_rules ? "\n" + shown(coverage_of(report)) : "");
}

std::string describe_layers_as_json(const Report& report, bool with_rules) {
  nlohmann::json out{{"layers", as_json(report)}};
  auto coverage = coverage_of(report);
  if (with_rules) out["coverage"] = {{"layers", coverage.layers}, {"without_rule", coverage.without}};
  return dump(out);
}

std::string describe_as_json(const Attribution& attribution, const Told& told, const TokenRelevance* tokens) {
  nlohmann::json out{{"model", told.model},
                     {"rules", told.rules},
                     {"target", told.target},
                     {"versions", {{"ascribe", version()}, {"libtorch", TORCH_VERSION}}},
                     {"output",
                      {{"shape", attribution.output.sizes().vec()},
                       {"sample_dimension", attribution.sample_dimension ? nlohmann::json(*attribution.sample_dimension)
                                                                         : nlohmann::json()},
                       {"predictions", nlohmann::json::array()}}},
                     {"start", {{"sum", evaluate::total(attribution.start)}, {"outputs", nlohmann::json::array()}}},
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
  for (auto& each : told.outcome.largest)
    if (!each.empty()) out["output"]["predictions"].push_back(as_json({each.front()}, told.labels)[0]);
  for (auto& each : told.outcome.starts) out["start"]["outputs"].push_back(as_json(each, told.labels));
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
