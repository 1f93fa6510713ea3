// The names that files define, and what files can reach besides themselves.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// Rules and composites share their names: an entry leads to either.
using Definition = std::variant<std::shared_ptr<const Rule>, std::shared_ptr<const Composite>>;

struct Definitions {
  std::map<std::string, Definition, std::less<>> targets;
  std::map<std::string, std::shared_ptr<const Function>, std::less<>> functions;
  std::vector<std::shared_ptr<const Test>> tests;    ///< in the order in which they are written
  std::map<std::string, Place, std::less<>> hidden;  ///< private names: there, but not to be reached
  bool complete = true;  ///< false: mistakes were found, so that a name that is missing needs no message
};

const Place& place_of(const Definition& definition);
const Place& place_of(const std::shared_ptr<const Function>& function);

/// Whether a name begins with `_`, and so stays inside its pack.
bool is_private(std::string_view name);

/// What importers reach: private names are hidden.
Definitions exported(Definitions definitions);

/// Where each written import leads. One that is not there, or leads to null, could not be loaded, which was reported.
using Imports = std::map<const syntax::Import*, std::shared_ptr<const Definitions>>;

/// What files reach besides what they define.
struct Surroundings {
  const Definitions* standard = nullptr;  ///< null for the standard pack's own files
  const Definitions* beside = nullptr;    ///< names without a qualifier, such as those of files that a call is read for
  Imports imports{};
};

}  // namespace ascribe::language
