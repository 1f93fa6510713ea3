// The body of a composite: which layers, which targets.
#pragma once

#include <optional>
#include <string>

#include "interpreter/language/scope.hpp"

namespace ascribe::language {

/// Nothing after a mistake, which is reported.
std::optional<Definition> check_composite(const syntax::Composite& written, const std::string& documentation,
                                          const Place& place, FileScope& file);

}  // namespace ascribe::language
