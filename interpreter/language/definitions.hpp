// The names that a file defines, and where a name that it does not define is looked up.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "interpreter/language/program.hpp"

namespace ascribe::language {

/// Rules and composites share their names: an entry leads to either.
using Definition = std::variant<std::shared_ptr<const Rule>, std::shared_ptr<const Composite>>;

struct Definitions {
  std::map<std::string, Definition, std::less<>> targets;
  std::map<std::string, std::shared_ptr<const Function>, std::less<>> functions;
  std::vector<std::shared_ptr<const Test>> tests;  ///< in the order in which they are written
};

}  // namespace ascribe::language
