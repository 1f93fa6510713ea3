// One loading: whatever it reads, it reads here, through the host's files, within the limits, until it is stopped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ascribe/files.hpp"
#include "ascribe/pack.hpp"
#include "grammar/error.hpp"

namespace ascribe {

/// Ends a loading as a whole: a limit of all files together, or the host's wish.
struct GiveUp : Error {
  using Error::Error;
};

class Reading {
 public:
  /// `options` has to live as long.
  explicit Reading(const LoadOptions& options);

  /// What is there; links are told as such.
  Files::Kind kind(const std::filesystem::path& path) const;
  /// What the path leads to, whatever links there are; a link that leads in a circle stays one.
  Files::Kind behind(const std::filesystem::path& path) const { return kind(resolve(path)); }
  std::filesystem::path resolve(const std::filesystem::path& path) const;

  /// A file. It is read once: who asks again, by whatever path, gets what was read then, so that what was compared with
  /// a lock is what is parsed. Throws Error (unreadable_file, too_large) or GiveUp.
  SourcePointer read(const std::filesystem::path& path);
  /// What is in a folder. Throws Error (unreadable_file) or GiveUp.
  std::vector<Files::Entry> list(const std::filesystem::path& folder);
  /// Throws GiveUp where so many more files are not to be read.
  void refuse_too_many(std::size_t more) const;

  const LoadOptions& options() const { return options_; }

 private:
  void before_next() const;
  void tell(const std::filesystem::path& next) const;

  const LoadOptions& options_;
  std::shared_ptr<const Files> files_;
  std::map<std::filesystem::path, SourcePointer> sources_;  // by resolved paths
  std::size_t count_ = 0, bytes_ = 0, entries_ = 0;
};

}  // namespace ascribe
