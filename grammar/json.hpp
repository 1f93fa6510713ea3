// Diagnostics for programs: one JSON document.
#pragma once

#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// {"diagnostics": [{"code": "A0201", "severity": "error" or "warning", "message", "file", "line", "column",
/// "end_line", "end_column", "note", "help", "related": [{"file", "line", "column", "end_line", "end_column",
/// "text"}], "fixes": [{"title", "sure": true or false, "edits": [{"file", "line", "column", "end_line", "end_column",
/// "text"}]}]}], "errors": n, "warnings": n}, with a line end. An edit's text takes the place of what stands there;
/// those of one fix belong together.
///
/// Lines and columns count from 1, columns in characters (code points); the end is exclusive: it is the place behind
/// the last character. A message about no place in a source has null for its file and places. An absent note or help is
/// "". What is no UTF-8, as in names of files, becomes U+FFFD.
std::string render_json(const std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe
