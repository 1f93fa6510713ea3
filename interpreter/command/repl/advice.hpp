// Help that knows the session: what is in reach of a name that means nothing, and how what was meant is entered.
#pragma once

#include <vector>

#include "interpreter/command/repl/state.hpp"

namespace ascribe::repl {

/// The mistakes with better help, where there is some. Packs are looked for in the folders of the search path and in
/// the working directory. It never throws Error.
std::vector<Diagnostic> advised(std::vector<Diagnostic> mistakes, const State& state, const LoadOptions& loading);

}  // namespace ascribe::repl
