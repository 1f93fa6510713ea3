// What is entered as in Python, a notebook or a shell, and what does the same in a session.
#pragma once

#include <string>
#include <string_view>

#include "ascribe/pack.hpp"
#include "interpreter/command/repl/state.hpp"

namespace ascribe::repl {

/// A help line for a whole input that the grammar, or the table of commands, does not know; empty: nobody knows better.
std::string help_for_input(std::string_view text, const State& state, const LoadOptions& loading);

/// A help line for the name, call or attribute that a text begins with, `len(x)` or `x.shape`; empty: nobody knows
/// better.
std::string help_for_use(std::string_view text, const State& state);

/// A help line with the import of a pack's folder of this name; empty: there is none.
std::string from_a_folder(const std::string& name, const LoadOptions& loading);

/// Whether a text is a name that one may give: no word of the language.
bool is_plain_name(std::string_view text);

/// The path with an ending that `:write` writes, in place of one that it does not.
std::string with_written_ending(const std::string& path);

}  // namespace ascribe::repl
