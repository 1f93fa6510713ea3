// Waiting until files change.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace ascribe::command {

/// What files and folders were when they were looked at: sizes, times, which file it is. No more is asked of the system
/// than every system tells: they are looked at again a few times a second.
class Watched {
 public:
  /// Paths that were read, and those that a command was given: their rule files are looked for again each time.
  Watched(std::set<std::filesystem::path> files, std::vector<std::filesystem::path> given);

  /// Waits for a change; false where it was stopped before.
  bool wait(const std::stop_token& stop) const;

 private:
  std::map<std::filesystem::path, std::string> look() const;

  std::set<std::filesystem::path> files_;
  std::vector<std::filesystem::path> given_;
  std::map<std::filesystem::path, std::string> before_;
};

}  // namespace ascribe::command
