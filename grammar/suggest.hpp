// "Did you mean …": the known name nearest to an unknown one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ascribe {

/// The nearest candidate, or nothing where none is near enough to be a slip of the hand.
std::string nearest(std::string_view written, const std::vector<std::string>& candidates);

/// "epsilon, gamma": the first of many.
std::string listed(const std::vector<std::string>& names);

/// "did you mean `epsilon`?", or `otherwise` where no candidate is near.
std::string did_you_mean(std::string_view written, const std::vector<std::string>& candidates,
                         std::string otherwise = "");

}  // namespace ascribe
