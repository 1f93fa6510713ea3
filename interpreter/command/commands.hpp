// The subcommands: each adds its options to the parser and returns what runs it.
#pragma once

#include <CLI/App.hpp>

#include <functional>

namespace ascribe::command {

/// Runs a subcommand whose options were parsed; gives the exit code. May throw Error.
using Run = std::function<int()>;

Run add_run(CLI::App& app);
Run add_bench(CLI::App& app);
Run add_check(CLI::App& app);
Run add_compare(CLI::App& app);
Run add_completion(CLI::App& app);
Run add_doc(CLI::App& app);
Run add_explain(CLI::App& app);
Run add_fmt(CLI::App& app);
Run add_layers(CLI::App& app);
Run add_lsp(CLI::App& app);
Run add_man(CLI::App& app);
Run add_pack(CLI::App& app);
Run add_plan(CLI::App& app);
Run add_repl(CLI::App& app);
Run add_test(CLI::App& app);

}  // namespace ascribe::command
