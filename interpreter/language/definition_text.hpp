// Definitions as they are written.
#pragma once

#include <string>

#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// The definition that a place is in, as it stands in its file; empty where there is none.
std::string definition_text(const Place& place);

}  // namespace ascribe::language
