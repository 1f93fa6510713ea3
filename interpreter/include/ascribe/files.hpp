// Where rule files come from: the disk, memory, or whatever a host makes of them, such as an archive or a database.
//
//     auto files = ascribe::Files::memory({{"acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 2 }"},
//                                          {"acme/soft.rule", "rule soft = epsilon(0.1)"}});
//     auto pack  = ascribe::Pack::load("acme", {.files = files});
//
// A host that keeps packs elsewhere derives a class of its own: `kind`, `read` and `list` are all that it needs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe {

/// Files and folders that can be read. Loading never writes.
///
/// Ownership: who loads shares it (`LoadOptions::files`), and so does every Pack that was loaded from it, so that it
/// can be reloaded; it lives as long as the last of them. Threads: several threads that load may call one object's
/// functions at the same time; an implementation whose state changes guards it. Errors: a function may throw whatever
/// is derived from std::exception; loading turns it into an `ascribe::Error` that names the path and says what `what()`
/// says. std::bad_alloc passes as it is.
class ASCRIBE_EXPORT Files {
 public:
  /// What a path leads to. `link`: a symbolic link at the path's end. `other`: a pipe, a device, or something that
  /// cannot be looked at.
  enum class Kind { nothing, file, folder, link, other };

  /// What a folder holds: a name without its folder, and what it is.
  struct Entry {
    std::string name;
    Kind kind;
  };

  /// The files of this machine; what LoadOptions take where nothing else is said. Paths are those of the operating
  /// system, relative ones from the working directory. Only regular files are read: nothing waits for a pipe.
  static std::shared_ptr<const Files> disk();

  /// Files of which the names and the texts are given; their folders come with their names, which have `/` between
  /// their parts: `acme/pack.rule`. Throws Error where a name is empty, is there twice, leads upwards (`..`), or is a
  /// file's and a folder's at once.
  static std::shared_ptr<const Files> memory(std::vector<std::pair<std::string, std::string>> texts);

  virtual ~Files() = default;

  /// What is at a path. Links on the way are followed; one at its end is told as such.
  virtual Kind kind(const std::filesystem::path& path) const = 0;

  /// The text of a file. Of one with more than `most` bytes, `most` + 1 of them are enough: it will be refused. Only
  /// asked for what `kind` calls a file, which may have vanished meanwhile: throws then.
  virtual std::string read(const std::filesystem::path& path, std::size_t most) const = 0;

  /// What is in a folder, in any order, without `.` and `..`. Of more than `most` entries, `most` + 1 are enough.
  /// Throws where it cannot be listed.
  virtual std::vector<Entry> list(const std::filesystem::path& folder, std::size_t most) const = 0;

  /// One name for all paths that lead to the same file or folder, links followed; the path itself where it leads
  /// nowhere. By default the path without `.`, `name/..` and a slash at its end, which is right where there are no
  /// links.
  virtual std::filesystem::path resolve(const std::filesystem::path& path) const;
};

}  // namespace ascribe
