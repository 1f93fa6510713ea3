// Reading rule files: the one way to the disk, so that packs can come from elsewhere.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// Where rule files come from. Paths are taken as the operating system takes them.
class FileReader {
 public:
  enum class Kind { missing, file, folder, other };
  struct Entry {
    std::string name;
    Kind kind;
  };

  virtual ~FileReader() = default;
  /// What is there, links followed. `other`: a device, or something that cannot be looked at.
  virtual Kind kind(const std::filesystem::path& path) const = 0;
  /// One name for all paths that lead to the same file or folder.
  virtual std::string identity(const std::filesystem::path& path) const = 0;
  /// The whole file. Throws Error (unreadable_file, too_large).
  virtual std::string read(const std::filesystem::path& path) const = 0;
  /// What is in a folder, in any order, at most `most` entries of it. Throws Error (unreadable_file).
  virtual std::vector<Entry> list(const std::filesystem::path& folder, std::size_t most) const = 0;
};

/// The files of this machine.
const FileReader& disk();

/// A path as messages show it: one line of text, not too long.
std::string shown(const std::filesystem::path& path);

}  // namespace ascribe
