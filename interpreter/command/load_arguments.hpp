// The options that say how rules are loaded: those of every command that loads some.
#pragma once

#include <CLI/App.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"

namespace ascribe::command {

/// What stands for the standard input where a path is asked for.
constexpr const char* standard_input = "-";

/// "1 file", "2 files".
std::string counted(std::size_t count, const char* word);

struct LoadArguments {
  std::vector<std::string> path;
  bool locked = false;

  /// Adds `--path` and `--locked` to a subcommand; `this` has to live as long as that.
  void add_to(CLI::App& command);

  /// The search path is that of `--path`, then the folders of the environment's ASCRIBE_PATH, which has `:` between
  /// them; empty ones are left out.
  LoadOptions options() const;
};

}  // namespace ascribe::command
