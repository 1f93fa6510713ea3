// How expressions look on a page, which decides where the formatter ends lines.
#pragma once

#include <vector>

#include "grammar/syntax.hpp"

namespace ascribe {

/// Numbers, strings and names, perhaps with a sign: several of them share a line.
bool is_atom(const syntax::Expression& expression);
bool all_atoms(const std::vector<syntax::Expression>& expressions);

/// A list, a group or a call with arguments: it ends with a bracket of its own.
bool is_bracketed(const syntax::Expression& expression);

}  // namespace ascribe
