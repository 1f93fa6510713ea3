// The folder of a pack: which files are the pack's, and what a folder has to be for its files to be a pack's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "interpreter/pack/reading.hpp"

namespace ascribe {

inline constexpr const char* pack_file_name = "pack.rule";
inline constexpr const char* lock_file_name = "pack.lock";
inline constexpr const char* pack_example = "pack name { version = \"1.0.0\"; language = 2 }";

/// A rule file of a pack.
struct PackFile {
  std::string name;  ///< from the pack's folder: `nested/rules.rule`
  std::filesystem::path path;
};

/// All rule files of a pack, pack.rule first and the others in the order of their names' bytes: those in its folder and
/// in the folders inside it, but for folders that are packs themselves, and for names that begin with a dot. Throws
/// Error for what a pack must not hold: links, rule files that are no files, names that a lock cannot hold.
std::vector<PackFile> files_of_pack(Reading& reading, const std::filesystem::path& folder);

/// The folder of the pack that a path names: itself, or that of its pack.rule. Throws Error where it names no pack.
std::filesystem::path folder_of_pack(const Reading& reading, const std::filesystem::path& path);

/// Why a folder is no pack, in words; empty where it is one.
std::string why_no_pack(const Reading& reading, const std::filesystem::path& folder);

/// The folder of the pack in which a file or folder lies, if that is one: the innermost around it. `real` is resolved.
std::optional<std::filesystem::path> pack_around(const Reading& reading, const std::filesystem::path& real);

/// The folder of the pack that keeps a nested pack to itself, because of a folder between them whose name begins with
/// `_`.
std::optional<std::filesystem::path> keeper_of_pack(const Reading& reading, const std::filesystem::path& real);

/// Whether one resolved path lies in another, or is it.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace ascribe
