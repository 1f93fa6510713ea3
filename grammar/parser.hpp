// Text to tree. A source with mistakes gives the tree of its sound items, and a diagnostic for each mistake.
#pragma once

#include <optional>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"

namespace ascribe {

/// Parses a rule file. Diagnostics are appended in the order of their places.
syntax::File parse_file(const SourcePointer& source, std::vector<Diagnostic>& diagnostics);

/// What became of a session's input. Without a tree it is either incomplete, so that more lines may make it whole, or
/// there are mistakes, which the diagnostics tell.
struct ParsedInput {
  std::optional<syntax::Input> input;
  bool incomplete = false;
};

/// Parses what was entered into a session: definitions, `name = expression`, expressions. Of incomplete input the
/// diagnostics say what is missing.
ParsedInput parse_input(const SourcePointer& source, std::vector<Diagnostic>& diagnostics);

/// Parses a single call such as `epsilon_plus(epsilon = 0.1)`: the command line's SPEC. Empty after a mistake.
std::optional<syntax::Call> parse_call(const SourcePointer& source, std::vector<Diagnostic>& diagnostics);

/// The words that cannot be names.
std::vector<std::string_view> reserved_words();

}  // namespace ascribe
