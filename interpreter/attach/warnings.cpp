#include "interpreter/attach/warnings.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "grammar/filled_text.hpp"
#include "grammar/glob.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/attach/selection.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::attaching {
namespace {

using language::LayerSelector;

// Kinds that reports call by their operator (`exp`) are `operator` to selectors.
bool covers(const std::string& word, const std::string& reported) {
  auto* kind = language::find_kind(reported);
  return language::covers(word, kind ? *kind : *language::find_kind("operator"));
}

bool took(const LayerSelector& selector, const Seen& seen) {
  auto fits = [&](auto& names) {
    return std::any_of(names.begin(), names.end(), [&](auto& name) { return matches_glob(*selector.glob, name); });
  };
  switch (selector.selects) {
    case LayerSelector::Selects::module:
      return fits(seen.paths);
    case LayerSelector::Selects::module_class:
      return fits(seen.classes);
    case LayerSelector::Selects::layers:
      return !selector.glob || std::any_of(seen.report.begin(), seen.report.end(), [&](auto& row) {
        return matches_glob(*selector.glob, row.name) && (selector.kind.empty() || covers(selector.kind, row.kind));
      });
  }
  return true;
}

std::string shown(const LayerSelector& selector) {
  switch (selector.selects) {
    case LayerSelector::Selects::module:
      return filled("module \"{}\"", *selector.glob);
    case LayerSelector::Selects::module_class:
      return filled("class \"{}\"", *selector.glob);
    case LayerSelector::Selects::layers:
      break;
  }
  return filled("{}{}\"{}\"", selector.kind, selector.kind.empty() ? "" : " ", *selector.glob);
}

std::vector<std::string> near(const LayerSelector& selector, const Seen& seen) {
  if (selector.selects == LayerSelector::Selects::module) {
    std::vector<std::string> paths(seen.paths.begin(), seen.paths.end());
    std::erase(paths, "");  // the model itself
    return paths;
  }
  if (selector.selects == LayerSelector::Selects::module_class) return {seen.classes.begin(), seen.classes.end()};
  std::vector<std::string> names;
  for (auto& row : seen.report) names.push_back(row.name);
  return names;
}

// The module that was one layer, so that nothing in it was looked at; null: no such one is around what is named.
const LayerReport* module_around(const LayerSelector& selector, const Report& report) {
  if (selector.selects == LayerSelector::Selects::module_class || !selector.glob) return nullptr;
  for (auto& row : report)
    if (row.kind == "module" && (row.name.empty() || selector.glob->starts_with(row.name + "."))) return &row;
  return nullptr;
}

void find_unused_entries(const Seen& seen, std::vector<Diagnostic>& out) {
  for (auto& entry : seen.rules.entries)
    for (auto& condition : entry.conditions)
      for (auto& selector : condition.layers) {
        if (took(selector, seen)) continue;
        if (auto* whole = module_around(selector, seen.report)) {
          out.push_back({.code = Code::unused_entry,
                         .severity = Severity::warning,
                         .message = filled("`{}` is within the module '{}', which is one layer by the entry at {}",
                                           shown(selector), whole->name, whole->entry),
                         .primary = {entry.place.source, entry.place.span, ""},
                         .help = "leave one of the two out"});
          continue;
        }
        out.push_back(
            {.code = Code::unused_entry,
             .severity = Severity::warning,
             .message = filled("no layer of the model is called for by `{}`", shown(selector)),
             .primary = {entry.place.source, entry.place.span, ""},
             .help = did_you_mean(*selector.glob, near(selector, seen), "`ascribe layers` lists the model's layers")});
      }
}

bool has_weights(const LayerReport& row) {
  auto* kind = language::find_kind(row.kind);
  return kind && (language::covers("linear", *kind) || language::covers("convolution", *kind));
}

std::string listed_at_most_three(std::vector<std::string> names) {
  constexpr std::size_t most = 3;
  auto count = names.size();
  names.resize(std::min(count, most));
  return filled("{}{}", fmt::join(names, ", "), count > most ? filled(" and {} more", count - most) : "");
}

// What arrives below is no relevance: each input got all of what the output had, or more. Where layers with weights
// keep their gradient, too, a gradient is what is wanted.
void find_kept_gradients(const Report& report, std::vector<Diagnostic>& out) {
  if (std::none_of(report.begin(), report.end(), [](auto& row) { return has_weights(row) && row.rule != "gradient"; }))
    return;
  std::vector<std::string> layers;
  for (auto& row : report)
    if (row.rule == "gradient" && row.inputs > 1) layers.push_back(filled("'{}' ({})", row.name, row.kind));
  if (layers.empty()) return;
  out.push_back(
      {.code = Code::kept_gradient,
       .severity = Severity::warning,
       .message = filled("operators with several inputs keep their gradient, below them nothing is relevance: {}",
                         listed_at_most_three(layers)),
       .help = "give them an entry: `product, matmul, quotient, operator => norm`"});
}

void find_own_derivatives(const Report& report, const std::vector<std::string>& own, std::vector<Diagnostic>& out) {
  if (own.empty() ||
      std::none_of(report.begin(), report.end(), [](auto& row) { return has_weights(row) && row.rule != "gradient"; }))
    return;
  std::vector<std::string> names;
  for (auto& each : own) names.push_back(filled("'{}'", each));
  out.push_back(
      {.code = Code::kept_gradient,
       .severity = Severity::warning,
       .message = filled("functions with a derivative of their own keep it, below them nothing is relevance: {}",
                         listed_at_most_three(names)),
       .help = "give the module that calls it an entry, `module \"act\" => pass`, or compute it by operators"});
}

void find_softmax_at_the_end(const Report& report, std::optional<std::size_t> of_output, std::vector<Diagnostic>& out) {
  if (!of_output || *of_output >= report.size()) return;
  auto& last = report[*of_output];
  if (last.rule != "gradient" || (last.kind != "softmax" && last.kind != "log_softmax")) return;
  auto arrived = last.above && last.below ? filled(": of {:.3g}, {:.3g} come through it", *last.above, *last.below)
                                          : std::string();
  out.push_back(
      {.code = Code::explained_softmax,
       .severity = Severity::warning,
       .message = filled("the model ends in a {}, '{}', which is explained with it{}", last.kind, last.name, arrived),
       .help = "explain what it is given: take a model without it, or add an entry `softmax, log_softmax => pass` and "
               "start from 1 (`--start one`, `from_one()`)"});
}

void find_cut_off(const Report& report, std::vector<Diagnostic>& out) {
  for (auto& row : report) {
    if (row.rule != "indices" || !row.above || !row.below) continue;
    auto lost = *row.above - *row.below;
    constexpr double rounding = 1e-5;
    if (std::abs(lost) <= rounding * std::max(std::abs(*row.above), std::abs(*row.below))) continue;
    out.push_back(
        {.code = Code::cut_off,
         .severity = Severity::warning,
         .message = filled("of relevance {:.3g}, {:.3g} went to what '{}' ({}) put around or beside its input",
                           *row.above, lost, row.name, row.kind),
         .help = row.kind.find("pad") == std::string::npos
                     ? "constants that the model puts there get it: a rule under which zeros get nothing (`epsilon`) "
                       "gives none to those that are zeros"
                     : "let the layer behind it pad by itself, or give that layer a rule under which zeros get "
                       "nothing: `epsilon`"});
    return;
  }
}

// What numbers of a floating input are looked up in leads to no place of it.
void find_lookups(const Report& report, std::vector<Diagnostic>& out) {
  for (auto& row : report)
    if (row.kind == "embedding" && row.above.value_or(0) != 0 && row.below == 0)
      out.push_back(
          {.code = Code::cut_off,
           .severity = Severity::warning,
           .message = filled("relevance {:.3g} ends at '{}' (embedding), where numbers are looked up: what they come "
                             "from gets none of it",
                             *row.above, row.name),
           .help = "constants, such as positions, take it as a bias does; numbers of the input get it as an input of "
                   "integers of their own, or ask at the embedding (`--at`)"});
}

void find_not_finite(const Seen& seen, std::vector<Diagnostic>& out) {
  if (seen.finite == Finite::all) return;
  if (seen.finite == Finite::nothing)
    return out.push_back({.code = Code::not_finite,
                          .severity = Severity::warning,
                          .message = "the relevance is not finite, for the input holds a value that is not",
                          .help = "look at where the input comes from: 0 / 0, a file with gaps"});
  auto* layer = first_not_finite(seen.report);
  out.push_back(
      {.code = Code::not_finite,
       .severity = Severity::warning,
       .message = filled("the relevance is not finite{}",
                         layer ? filled(", first below layer '{}', rule `{}`", layer->name, layer->rule) : ""),
       .help = "give that layer a larger stabilizer, or another rule"});
}

// An entry for layers of a kind, as it may be written.
std::string entry_for(const std::string& reported) {
  auto* kind = language::find_kind(reported);
  if (!kind) return "operator => gradient";
  if (kind->group == "activation") return "activation => pass";
  if (kind->name == "linear" || kind->group == "convolution") return filled("{} => epsilon", kind->group);
  return kind->parameters.empty() || kind->parameters.front() == "coefficient" ? filled("{} => norm", kind->group)
                                                                               : filled("{} => gradient", kind->group);
}

}  // namespace

std::optional<Diagnostic> no_layer_matched(const Report& report, const language::BoundComposite& rules) {
  std::vector<std::string> kinds;
  for (auto& row : report) {
    if (!row.entry.empty()) return {};
    if (std::find(kinds.begin(), kinds.end(), row.kind) == kinds.end()) kinds.push_back(row.kind);
  }
  if (report.empty()) return {};  // a model without layers is what it is
  return Diagnostic{.code = Code::no_layer_matched,
                    .message = filled("no layer of the model has an entry in `{}`", rules.description),
                    .note = filled("the model's layers are {}", fmt::join(kinds, ", ")),
                    .help = filled("add an entry for one of them: `{}`", entry_for(kinds.front()))};
}

std::vector<Diagnostic> warnings_of(const Seen& seen) {
  if (auto another = no_layer_matched(seen.report, seen.rules)) {
    another->severity = Severity::warning;
    return {std::move(*another)};
  }
  std::vector<Diagnostic> out;
  find_not_finite(seen, out);
  find_unused_entries(seen, out);
  find_kept_gradients(seen.report, out);
  find_own_derivatives(seen.report, seen.own_derivatives, out);
  find_softmax_at_the_end(seen.report, seen.last, out);
  find_cut_off(seen.report, out);
  find_lookups(seen.report, out);
  return out;
}

}  // namespace ascribe::attaching
