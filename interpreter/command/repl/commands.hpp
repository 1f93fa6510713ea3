// The commands of a session, `:help` and so on: one table, which the session, completion and the help read.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "grammar/error.hpp"

namespace ascribe::repl {

struct Command {
  enum class Id { help, load, reload, save, type, rules, plan, time, model, layers, labels, write, reset, quit } id;
  std::string_view name;       ///< without its colon
  std::string_view arguments;  ///< as the help shows them; empty: it takes none
  bool needs_argument;
  std::string_view summary;
  /// What its argument is, for completion.
  enum class Argument {
    none,
    topic,
    rule_file,
    file,
    file_and_expression,
    expression,
    rule_and_kind,
    rules_and_tree,
    name
  } argument;
  std::string_view example = "";  ///< of one that needs its argument
};

std::span<const Command> commands();

/// The command whose name begins so. `word` is the span of the word, its colon included. Throws Error: none, or
/// several.
const Command& find_command(const SourcePointer& source, Span word);

}  // namespace ascribe::repl
