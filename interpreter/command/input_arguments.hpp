// The options that say what a model is given: files, and what is done with pictures before.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/App.hpp>

#include <string>
#include <vector>

#include "ascribe/picture.hpp"
#include "interpreter/command/input_list.hpp"

namespace ascribe::command {

/// An input as the model gets it.
struct ReadInput {
  at::Tensor x;
  at::Tensor picture;                  ///< what is to be seen of x, [1, C, H, W] in [0, 1]; undefined for arrays
  std::vector<Diagnostic> warnings{};  ///< what was left out, and what may not be meant
};

struct InputArguments {
  std::vector<std::string> inputs;
  std::string resize, crop, prepare;
  std::vector<std::string> mean, deviation;  ///< numbers, or `imagenet`
  bool grey = false, colour = false, recursive = false, null_separated = false;

  /// Adds the options to a subcommand; `this` has to live as long as that.
  void add_to(CLI::App& command);

  /// Whether the one `--input` stands for any number of inputs, each of which is to be read by itself.
  bool many() const;
  /// What `--input` stands for, in order; nothing is opened, and standard input can be read once only. Throws Error
  /// where there are several `--input`: these are given to a model together.
  InputList list() const;
  /// Reads and prepares one of the list. May be called from several threads at once. Throws Error: what a file that
  /// cannot be read, or does not fit to the options, has to say; it names the file.
  ReadInput read(const InputItem& item) const;

  /// What is done with pictures. Throws Error (usage) where the options contradict each other.
  Preparation preparation() const;
  /// One for each `--input`. Throws Error where one cannot be read, or holds a value that is not finite, or stands for
  /// several files.
  std::vector<ReadInput> read_all() const;
};

}  // namespace ascribe::command
