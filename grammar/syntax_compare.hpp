// Whether two trees say the same, wherever their parts stand in their sources.
#pragma once

#include "grammar/syntax.hpp"

namespace ascribe {

/// Compares structure, names, documentation, the values of strings and the spelling of numbers. Places, blanks and
/// comments do not count.
bool same_syntax(const syntax::File& a, const syntax::File& b);

}  // namespace ascribe
