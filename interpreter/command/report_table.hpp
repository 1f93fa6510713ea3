// What `ascribe run` says about an attribution, for people and for programs.
#pragma once

#include <string>

#include "ascribe/model.hpp"

namespace ascribe::command {

/// The prediction, a line for each layer with its rule and the relevance below it, and the relevance of the input.
std::string describe_as_text(const Attribution& attribution, const std::string& rules);
/// The same as a JSON object.
std::string describe_as_json(const Attribution& attribution, const std::string& rules);

}  // namespace ascribe::command
