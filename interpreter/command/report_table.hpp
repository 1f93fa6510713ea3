// What `ascribe run` says about an attribution, for people and for programs.
#pragma once

#include <string>

#include "ascribe/attribute.hpp"
#include "interpreter/command/tokens.hpp"

namespace ascribe::command {

/// The prediction; a line for each layer with its rule, the entry that chose it, and who took what of the relevance;
/// and the relevance of the input.
std::string describe_as_text(const Attribution& attribution, const std::string& rules);
/// A line for each layer; with rules, the rule that it gets and the entry that chose it, and at the end which share of
/// the layers has one.
std::string describe_layers_as_text(const Report& report, bool with_rules);
std::string describe_layers_as_json(const Report& report, bool with_rules);
/// An attribution as a JSON object. `tokens`: of its input; null where none are known.
std::string describe_as_json(const Attribution& attribution, const std::string& rules,
                             const TokenRelevance* tokens = nullptr);

}  // namespace ascribe::command
