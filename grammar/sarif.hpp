// Diagnostics for code-scanning services and editors: SARIF.
#pragma once

#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// A log of one run in SARIF 2.1.0 (OASIS), with a line end. The rules are all codes with their pages; columns count
/// characters (unicodeCodePoints), the end is exclusive. Paths become URI references: relative ones stay relative.
/// What is no UTF-8 becomes U+FFFD; in paths, each byte is encoded as it is.
std::string render_sarif(const std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe
