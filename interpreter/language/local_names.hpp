// What the names of one definition mean.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grammar/syntax.hpp"
#include "interpreter/language/clause.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// A value that has a name in a session. Numbers and single truth values stand for themselves wherever the name is.
struct SessionValue {
  Type type;                  ///< of a model: unknown
  std::optional<double> one;  ///< the number, or 1 or 0 for a truth value; nothing for tensors
};

/// What the names of one definition mean. Rules have all of it; composites have parameters only.
struct LocalNames {
  const std::vector<Parameter>* parameters = nullptr;
  std::map<std::string, const syntax::Let*, std::less<>> lets{};
  std::vector<std::string> terms{};  ///< named terms
  /// In sessions: what has a name there. It comes before the language's own x and R.
  std::map<std::string, SessionValue, std::less<>> values{};
  /// In tests: the rule or composite that `relevance(…)` is given, with its arguments.
  std::function<std::optional<Target>(const syntax::Call&, Clause)> find_target{};
};

}  // namespace ascribe::language
