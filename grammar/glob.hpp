// Globs: of modules' names in rules, of tests, layers and rules on command lines.
#pragma once

#include <string>

namespace ascribe {

/// `*` is any characters, dots and slashes included, `?` is one, `[ab]` one of these.
bool matches_glob(const std::string& glob, const std::string& name);

}  // namespace ascribe
