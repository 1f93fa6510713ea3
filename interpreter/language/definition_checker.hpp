// One definition: a rule, a composite, a function.
#pragma once

#include <memory>
#include <optional>

#include "interpreter/language/scope.hpp"

namespace ascribe::language {

/// The rule or composite of an item. Mistakes are reported; what comes back after one does not count.
std::optional<Definition> check_target(const syntax::Item& item, FileScope& file);
std::shared_ptr<const Function> check_function(const syntax::Item& item, FileScope& file);

}  // namespace ascribe::language
