// Text to canonical text: one style, without options.
//
// Two spaces of indentation, 120 columns. One clause a line; a body that the author wrote on one line stays there where
// it fits. The `=>` of neighbouring entries stand in one column, and so do the comments behind neighbouring lines. What
// is too long is broken at its loosest operators or inside its brackets. Numbers, strings, parentheses and comments
// stay as they are written, and so does an empty line; several become one. Between definitions of several lines there
// is one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// The canonical text of a rule file. It means what the source means, has the same comments in the same places, and is
/// its own canonical text; the result is checked for all three. Empty after a mistake, which `diagnostics` then tells:
/// syntax errors, or a limit that the canonical text would pass.
std::optional<std::string> format_source(SourcePointer source, std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe
