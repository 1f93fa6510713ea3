// What an attribution is warned of.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ascribe/report.hpp"
#include "grammar/diagnostic.hpp"
#include "interpreter/language/binding.hpp"

namespace ascribe::attributing {

/// The modules that a model called, by which `module` and `class` entries choose.
struct CalledModules {
  std::set<std::string> paths, classes;
};

/// `last`: the row of the layer that made the explained output; empty: none is known to have. `own`: own_derivatives().
std::vector<Diagnostic> warnings_of(const Report& report, const language::BoundComposite& rules,
                                    const CalledModules& modules, std::optional<std::size_t> last,
                                    const std::vector<std::string>& own);

}  // namespace ascribe::attributing
