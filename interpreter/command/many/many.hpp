// `ascribe run` over many inputs: in batches, each input's results in files of their own.
#pragma once

#include <CLI/App.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/picture_arguments.hpp"
#include "interpreter/command/target_arguments.hpp"

namespace ascribe::command {

struct ManyArguments {
  std::int64_t batch_size = 0;
  bool strict = false, resume = false;
  std::string shard;

  /// Adds the options to a subcommand; `this` has to live as long as that.
  void add_to(CLI::App& command);
  bool any() const { return batch_size > 0 || strict || resume || !shard.empty(); }
};

/// What is asked.
struct ManyRun {
  const ModelArguments& model;
  const TargetArguments& target;
  const PictureArguments& picture;
  const ManyArguments& many;
  std::string output;  ///< a folder, a pattern with `*`, a .npy file for all, or nothing
  std::string report;  ///< text or json
  std::string
      settings;  ///< of everything that changes results: as the options say it, and what is in files that they name
};

/// The options of a subcommand that change what comes out, and a digest of the files that they name; not those of
/// inputs.
std::string settings_of(const CLI::App& command);
/// 128 bits of a file's content, as 32 hexadecimal digits; nothing where it is no file.
std::string digest_of_file(const std::filesystem::path& path);

/// Explains each of the inputs. While one batch is explained, the next is read, or the last written: no more than two
/// are in memory. A broken input is told and counted, and not the end. Gives the exit code. Throws Error.
int explain_many(const ManyRun& run);

}  // namespace ascribe::command
