// Where the results of many inputs go.
#pragma once

#include <string>

namespace ascribe::command {

/// A file for each input: `maps/*.npy`, where `*` is the input's name.
class Destination {
 public:
  /// What an option says: a folder (`maps/`, or one that is there), to which `ending` is added, or a pattern with one
  /// `*`. Throws Error (usage) for anything else.
  Destination(const std::string& given, const char* option, const std::string& ending);

  std::string path_of(const std::string& name) const;
  /// The folder that all of the files are in or below; `.` for the present one.
  std::string folder() const;

  /// Whether an option says that there is a file for each input.
  static bool is_one(const std::string& given);

 private:
  std::string before_, after_;
};

}  // namespace ascribe::command
