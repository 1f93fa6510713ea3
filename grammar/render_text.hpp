// Messages as text for people; json.hpp and sarif.hpp write them for programs.
#pragma once

#include <string>
#include <vector>

// As neighbours: hosts find these headers in another folder.
#include "diagnostic.hpp"
#include "export.hpp"

namespace ascribe {

/// The message as people read it: what and where, the source line with a caret, why, and what to do.
ASCRIBE_EXPORT std::string render_text(const Diagnostic& diagnostic, bool colour = false);
ASCRIBE_EXPORT std::string render_text(const std::vector<Diagnostic>& diagnostics, bool colour = false);

}  // namespace ascribe
