// From standard input to a session and back: at a terminal with prompts, otherwise line after line.
#pragma once

#include <filesystem>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/command/repl/limits.hpp"

namespace ascribe::repl {

struct LoopOptions {
  std::vector<std::filesystem::path> paths{};  ///< rule files and packs that are loaded first
  std::filesystem::path model{};               ///< which is loaded first, too; empty: none
  Limits limits{};
  LoadOptions loading{};
  std::filesystem::path script{};  ///< whose inputs are run, instead of those of standard input; `-` for these
};

/// Runs a session until it ends, and gives the exit code. At a terminal, mistakes end nothing. Of a script and of
/// standard input from elsewhere, the first one is the end: with 1 of a script, otherwise with its own code. Throws
/// Error: a script that cannot be read.
int run(const LoopOptions& options);

}  // namespace ascribe::repl
