// From standard input to a session and back: at a terminal with prompts, otherwise line after line.
#pragma once

#include <filesystem>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/command/repl/limits.hpp"

namespace ascribe::repl {

struct LoopOptions {
  std::vector<std::filesystem::path> paths{};  ///< rule files and packs that are loaded first
  Limits limits{};
  LoadOptions loading{};
};

/// Runs a session on standard input until it ends, and gives the exit code: at a terminal mistakes end nothing;
/// otherwise the first one does, with its code.
int run(const LoopOptions& options);

}  // namespace ascribe::repl
