// What assist/ knows of a session: its definitions are a page, as an editor has one, and what is being written goes on
// behind them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "interpreter/assist/completion.hpp"
#include "interpreter/command/repl/state.hpp"

namespace ascribe::repl {

/// What could stand at the end of a rule file's text behind the session's definitions, and begins as the text ends.
std::vector<assist::Offer> offers(const State& state, std::string_view text);

/// What an editor says about a name, as plain text: of all that it means, in a rule or as one, of a layer, of a
/// function. Empty where it means nothing.
std::string about(const State& state, const std::string& name);

}  // namespace ascribe::repl
