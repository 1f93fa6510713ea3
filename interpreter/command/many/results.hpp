// What is written of each of many inputs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "interpreter/command/many/batches.hpp"
#include "interpreter/command/many/destination.hpp"
#include "interpreter/command/many/summary.hpp"
#include "interpreter/command/picture_arguments.hpp"

namespace ascribe::command {

class Results {
 public:
  /// `output`: as `--output` says it; nothing where no relevance is to be written. Throws Error (usage;
  /// unwritable_file).
  Results(const std::string& output, const PictureArguments& picture, const InputArguments& inputs,
          const ChosenTarget& chosen);

  /// Where the run's summary is; nothing where nothing is written.
  std::optional<std::filesystem::path> summary(const std::string& shard) const;
  /// Which sorts of files there are.
  std::string kinds() const;
  /// Writes an input's files, each of which appears whole or not at all, and tells what there is. Throws Error
  /// (unwritable_file).
  Summary::Json write(const Explained& input) const;
  /// The same line for people, or as it is.
  std::string shown(const Summary::Json& line, bool as_json) const;
  /// The page on which all pictures are, where there are some.
  std::optional<std::string> gallery(const std::map<std::size_t, Summary::Batch>& batches,
                                     const std::string& rules) const;

 private:
  std::filesystem::path summary_folder() const;
  std::string picture_of_input(const Explained& input) const;

  const PictureArguments& picture_;
  const InputArguments& inputs_;
  const ChosenTarget& chosen_;
  std::optional<Destination> relevance_, pictures_;
};

}  // namespace ascribe::command
