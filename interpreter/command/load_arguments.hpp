// The options that say how rules are loaded: those of every command that loads some.
#pragma once

#include <CLI/App.hpp>

#include <string>
#include <vector>

#include "ascribe/pack.hpp"

namespace ascribe::command {

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
