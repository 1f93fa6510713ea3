// Help as edits: what a message's help says to write, as changes of the source that can be made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// Gives each message whose help says what to write the edits that do so, if it has none yet: one table of the forms of
/// help. Called where messages are handed out; to do it again changes nothing.
void add_fixes(std::vector<Diagnostic>& diagnostics);

/// A text with its edits made; they lie apart from each other, in any order.
std::string edited(std::string_view text, std::vector<Edit> edits);

/// The edits of all fixes that are sure in one source, in order, apart from each other: of those that overlap, the
/// first.
std::vector<Edit> sure_edits(const std::vector<Diagnostic>& diagnostics, const Source& source);

}  // namespace ascribe
