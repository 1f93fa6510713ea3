// From the paths that a command was given to rule files and their texts.
#pragma once

#include <filesystem>
#include <vector>

#include "grammar/error.hpp"

namespace ascribe {

/// The `.rule` files of a folder, of its subfolders, too, in the order of their paths; a path of anything else is
/// itself, whether it exists or not. Links to folders are not followed. Throws Error for a folder that holds none or
/// cannot be read.
std::vector<std::filesystem::path> rule_paths(const std::filesystem::path& path);

/// What is loaded together: of `rule_paths`, packs by their folders and the other files each by itself.
std::vector<std::filesystem::path> pack_paths(const std::filesystem::path& path);

/// Throws Error (newer_language) where a file belongs to a pack in a newer language than this program's.
void refuse_newer_language(const std::filesystem::path& path);

/// Throws Error where reading standard input came to more than its end. To be asked at that end.
void refuse_unreadable_input();

/// A file's text, or that of standard input for `-`, which messages call <stdin>. Throws Error.
SourcePointer read_source(const std::filesystem::path& path);

}  // namespace ascribe
