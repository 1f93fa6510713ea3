// What `ascribe run` says about an attribution, for people and for programs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ascribe/attribute.hpp"
#include "interpreter/command/outcome.hpp"
#include "interpreter/command/tokens.hpp"

namespace ascribe::command {

/// What was asked, and what the model said.
struct Told {
  std::string model, rules, target;
  Labels labels{};
  Outcome outcome{};
};

/// The predictions; a line for each layer with its rule, the entry that chose it, and who took what of the relevance;
/// how much of it arrived, and where the rest stayed. The table fits into `width` characters, where there is one.
std::string describe_as_text(const Attribution& attribution, const Told& told, std::optional<std::size_t> width);
/// A line for each layer whose cost is known: what it took in either pass, as numbers and as a bar.
std::string describe_costs(const Report& report);
/// A line for each layer, as a tree by the parts of their names if that is wanted; with rules, the rule that it gets
/// and the entry that chose it, and at the end which share of the layers has one.
std::string describe_layers_as_text(const Report& report, bool with_rules, bool as_tree,
                                    std::optional<std::size_t> width);
std::string describe_layers_as_json(const Report& report, bool with_rules);
/// An attribution as a JSON object. `tokens`: of its input; null where none are known.
std::string describe_as_json(const Attribution& attribution, const Told& told, const TokenRelevance* tokens = nullptr);

}  // namespace ascribe::command
