// Which entry of a composite a layer gets.
#pragma once

#include <string>
#include <vector>

#include "interpreter/language/binding.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::attaching {

/// How many fitting calls each counted condition (`first n`) of a composite has seen in one forward pass.
using Counts = std::vector<std::uint64_t>;

/// The first entry that is for a layer of this kind and name, or null. `counts` goes on counting for every counted
/// condition that fits, whatever the entry; it belongs to one forward pass and starts empty.
const language::BoundEntry* select(const language::BoundComposite& composite, const language::Kind& kind,
                                   const std::string& module_name, Counts& counts);

/// `*` stands for any characters, dots included.
bool matches_glob(const std::string& glob, const std::string& name);

}  // namespace ascribe::attaching
