// The options that say which model is run, on what, and with which rules: those of `ascribe run` and `ascribe layers`.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/App.hpp>

#include <string>
#include <vector>

#include "ascribe/model.hpp"
#include "ascribe/pack.hpp"
#include "interpreter/command/input_arguments.hpp"
#include "interpreter/command/load_arguments.hpp"

namespace ascribe::command {

/// Which rules, and where their names come from.
struct RuleArguments {
  std::string rules;
  std::string name = "--rules";  ///< of the argument that they are given by
  std::vector<std::string> load;
  LoadArguments loading;

  /// Adds `--load` and how it is loaded; `this` has to live as long as the subcommand.
  void add_loading_to(CLI::App& command);
  /// `sources`: if it is not null, gets the text of every file that was read.
  Composite read(std::string* sources = nullptr) const;
};

struct ModelArguments : RuleArguments, InputArguments {
  std::string model, device = "cpu";
  int threads = 0;

  /// Adds the options to a subcommand; `this` has to live as long as that.
  void add_to(CLI::App& command, bool rules_required);

  Composite read_rules(std::string* sources = nullptr) const { return RuleArguments::read(sources); }
  using InputArguments::read;
  /// One tensor for each `--input`, and warnings on stderr. Throws Error as read_all() does.
  std::vector<at::Tensor> read_inputs() const;
  /// On the device; also sets the number of threads, where it is asked for.
  Model read_model() const;
  /// Sets it where it is not: as many as help with this input.
  void choose_threads(const at::Tensor& x) const;
};

}  // namespace ascribe::command
