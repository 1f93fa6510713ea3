// "Did you mean …": the known name nearest to an unknown one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ascribe {

/// A name without what spellings differ by: "epsilonplus" of "EpsilonPlus" and of "epsilon_plus".
std::string letters_of(std::string_view name);

/// The candidate that has the same letters, or is the nearest, or begins so: `EpsilonPlus`, `epsilom`, `eps`. Nothing
/// where none is near enough to be meant.
std::string nearest(std::string_view written, const std::vector<std::string>& candidates);

/// "epsilon, gamma": the first of many.
std::string listed(const std::vector<std::string>& names);

/// "did you mean `epsilon`?", or `otherwise` where no candidate is near.
std::string did_you_mean(std::string_view written, const std::vector<std::string>& candidates,
                         std::string otherwise = "");

}  // namespace ascribe
