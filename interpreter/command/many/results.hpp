// What is written of each of many inputs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "interpreter/command/many/batches.hpp"
#include "interpreter/command/many/collected.hpp"
#include "interpreter/command/many/destination.hpp"
#include "interpreter/command/many/summary.hpp"
#include "interpreter/command/picture_arguments.hpp"

namespace ascribe::command {

/// Whether all of an input's relevance is.
bool is_finite(const Explained& input);

class Results {
 public:
  /// `output`: as `--output` says it; nothing where no relevance is to be written. Throws Error (usage;
  /// unwritable_file).
  Results(const std::string& output, const PictureArguments& picture, const InputArguments& inputs,
          const ChosenTarget& chosen, std::string shard);

  /// Where the run's summary is; nothing where nothing is written.
  std::optional<std::filesystem::path> summary() const;
  /// Where the files are, seen from the summary: `*.npy ../maps/*.png`.
  std::string patterns() const;
  /// Throws Error (usage) where a result would be written over an input, or be one of the next run over the folder
  /// `given`.
  void check_apart(const Inputs& inputs, const std::string& given, bool recursive) const;
  /// Writes an input's files, each of which appears whole or not at all, and tells what there is. What cannot be drawn
  /// becomes the input's failure, unless `strict` is set. Throws Error (unwritable_file).
  Summary::Json write(Explained& input, bool strict);
  /// The same line for people, or as it is.
  std::string shown(const Summary::Json& line, bool as_json) const;
  /// The page on which all pictures are, where there are some.
  std::optional<std::string> gallery(const std::map<std::size_t, Summary::Batch>& batches,
                                     const std::string& rules) const;
  /// Makes the one file of all relevance, where that is asked for: what Summary::finish() takes.
  Summary::Json collect(const Summary& summary, bool changed);
  void remove_parts(const Summary& summary) const;
  /// That file, where there is to be one.
  std::optional<std::string> collected() const;

 private:
  std::filesystem::path summary_folder() const;
  std::string picture_of_input(const Explained& input) const;

  const PictureArguments& picture_;
  const InputArguments& inputs_;
  const ChosenTarget& chosen_;
  std::string shard_;
  std::optional<Collected> collected_;
  std::optional<Destination> relevance_, pictures_;
};

}  // namespace ascribe::command
