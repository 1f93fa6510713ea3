// The subcommands: each adds its options to the parser and returns what runs it.
#pragma once

#include <CLI/App.hpp>

#include <functional>

namespace ascribe::command {

/// Runs a subcommand whose options were parsed; gives the exit code. May throw Error.
using Run = std::function<int()>;

Run add_run(CLI::App& app);
Run add_check(CLI::App& app);
Run add_fmt(CLI::App& app);
Run add_test(CLI::App& app);

/// Whether messages are coloured: on a terminal, unless NO_COLOR says otherwise.
bool wants_colour();

}  // namespace ascribe::command
