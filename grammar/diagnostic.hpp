// Messages: what is wrong, where, and what to do about it. One kind of message for rule files, models, files and
// arguments; render_text.hpp, json.hpp and sarif.hpp are the only code that turns one into text.
#pragma once

#include <string>
#include <vector>

// As neighbours: hosts find these headers in another folder.
#include "code.hpp"
#include "export.hpp"
#include "source.hpp"

namespace ascribe {

enum class Severity { warning, error };

/// A place in a source with a few words about it. Without a source it is no place at all.
struct Label {
  SourcePointer source;
  Span span;
  std::string text;
};

/// A change of a source: the text that takes the place of a span, which may be empty.
struct Edit {
  Span span;
  std::string text;
  bool operator==(const Edit&) const = default;
};

/// A way to mend what a message is about, in the source of its primary label. Its edits lie apart from each other and
/// belong together.
struct Fix {
  std::string title;  ///< What it does: "write `epsilon`".
  std::vector<Edit> edits{};
  bool sure = false;  ///< There is nothing else that could be meant: it may be done without asking.
};

struct Diagnostic {
  Code code;
  Severity severity = Severity::error;
  std::string message;          ///< One line, lower case, no full stop.
  Label primary = {};           ///< What is wrong; its `source` is empty for messages about files and models.
  std::vector<Label> others{};  ///< Why it is wrong: the places that explain.
  std::string note{};           ///< A fact that helps; may be empty.
  std::string help{};           ///< What to do, to be pasted where possible; may be empty.
  std::vector<Fix> fixes{};     ///< The help as edits, the likeliest first; may be empty.
};

ASCRIBE_EXPORT bool has_errors(const std::vector<Diagnostic>& diagnostics);

/// Puts diagnostics into the order of their places; those without a place come first. Equal ones stand once.
void put_in_order(std::vector<Diagnostic>& diagnostics);

/// Leaves out what is beyond the limit of messages, and says so in the last one.
void cut(std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe
