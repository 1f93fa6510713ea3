// What `ascribe run` says about an attribution, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "ascribe/attribute.hpp"
#include "interpreter/command/tokens.hpp"

namespace ascribe::command {

/// Rows as lines whose columns stand below each other, those from `from_right` on to the right. Columns that are empty
/// but for their title, in the first row, are left out.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t from_right);
/// The prediction; a line for each layer with its rule, the entry that chose it, and who took what of the relevance;
/// and the relevance of the input.
std::string describe_as_text(const Attribution& attribution, const std::string& rules);
/// A line for each layer whose cost is known: what it took in either pass, as numbers and as a bar.
std::string describe_costs(const Report& report);
/// A line for each layer; with rules, the rule that it gets and the entry that chose it, and at the end which share of
/// the layers has one.
std::string describe_layers_as_text(const Report& report, bool with_rules);
std::string describe_layers_as_json(const Report& report, bool with_rules);
/// An attribution as a JSON object. `tokens`: of its input; null where none are known.
std::string describe_as_json(const Attribution& attribution, const std::string& rules,
                             const TokenRelevance* tokens = nullptr);

}  // namespace ascribe::command
