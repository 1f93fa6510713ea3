// The options that say where relevance starts: those of `ascribe run`.
#pragma once

#include <CLI/App.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "interpreter/command/outcome.hpp"

namespace ascribe::command {

struct TargetArguments {
  std::vector<std::string> targets, against;
  std::string labels, start = "output", position;
  std::int64_t of_output = -1;

  /// Adds the options to a subcommand; `this` has to live as long as that.
  void add_to(CLI::App& command);
};

/// How messages name the options: `--target 3` on a command line, `target = 3` in a session, whose labels are those
/// that it has read.
struct TargetWords {
  const Labels* of_session = nullptr;

  std::string option(std::string_view name) const;
  std::string option(std::string_view name, std::string_view value) const;
};

/// Where relevance starts, of any of a run's samples.
class ChosenTarget {
 public:
  /// Reads the files that the options name. Throws Error: usage, bad_target, unreadable_file.
  explicit ChosenTarget(const TargetArguments& arguments, const TargetWords& words = {});

  /// Of all samples of an input.
  Target whole() const;
  /// Of some of a run's inputs, of one sample each, by their places among all of them.
  Target of(std::span<const std::size_t> places) const;
  /// Throws Error (usage) where a run has another number of inputs.
  void check_inputs(std::size_t count) const;

  const Labels& labels() const { return labels_; }
  /// As it was asked for: `3`, `top3`, `largest`, `3 against 5`.
  const std::string& described() const { return described_; }

 private:
  Target finished(Target target) const;

  Labels labels_;
  std::vector<std::int64_t> each_, opposed_, position_;
  std::string each_from_, described_;
  Target target_ = Target::largest();
  bool from_one_ = false;
  std::optional<std::size_t> output_;
};

}  // namespace ascribe::command
