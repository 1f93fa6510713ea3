// `:help` and `:rules`: everything that can be entered, from the tables that the session itself reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/error.hpp"

namespace ascribe::repl {

struct State;

/// The page of a topic, a command, a session's call, a rule, composite or function, a built-in, a layer, or a message's
/// code; of nothing, the overview. `topic` is its span in the source. Throws Error where there is none.
std::string help(const State& state, const SourcePointer& source, Span topic);

/// The names of all topics that are pages of their own.
std::vector<std::string> help_topics();

/// What can be used, each with a line about it: what was entered, what is loaded, what is standard. Without a glob,
/// all.
std::string list_rules(const State& state, const std::string& glob);

}  // namespace ascribe::repl
