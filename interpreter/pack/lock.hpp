// The lock of a pack, pack.lock: the SHA-256 digests of all its rule files, as `sha256sum -c` reads them.
//
//     9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  nested/rules.rule
//     2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae  pack.rule
#pragma once

#include <string>
#include <vector>

#include "interpreter/pack/pack_folder.hpp"

namespace ascribe {

/// A rule file of a pack, read.
struct PackText {
  PackFile file;
  SourcePointer source;
};

/// All rule files of a pack. Throws Error.
std::vector<PackText> texts_of_pack(Reading& reading, const std::filesystem::path& folder);

/// The lock of these files: a line for each, sorted by name, lines ended by a line feed.
std::string lock_of(const std::vector<PackText>& texts);

/// What a lock says of one file.
struct LockedFile {
  std::string digest, name;
};

/// Reads a lock. Throws Error (bad_lock) at the first line that is none of a lock: digests are 64 lower-case
/// hexadecimal digits, two spaces, then a path from the pack's folder; each file once.
std::vector<LockedFile> read_lock(const SourcePointer& source);

/// A file that is not as the lock says.
struct Difference {
  enum class Kind { changed, missing, added };
  Kind kind;
  std::string name;
};

/// The word for a difference: `changed`.
const char* word_of(Difference::Kind kind);

/// What tells the files from the lock, by names.
std::vector<Difference> differences(const std::vector<LockedFile>& lock, const std::vector<PackText>& texts);

/// Whether a pack has a lock. Throws Error where that is no file: a link, a folder, a pipe.
bool has_lock(const Reading& reading, const std::filesystem::path& folder);

/// The lock of a pack, null where there is none. Throws Error: it cannot be read, or is no file.
SourcePointer find_lock(Reading& reading, const std::filesystem::path& folder);

/// The message for a pack without a lock.
Diagnostic has_no_lock(const std::filesystem::path& folder);

/// The message for a pack whose files differ from its lock.
Diagnostic differs(const std::filesystem::path& folder, const std::vector<Difference>& found);

}  // namespace ascribe
