// From the paths that a command was given to rule files.
#pragma once

#include <filesystem>
#include <vector>

namespace ascribe {

/// The `.rule` files of a folder, of its subfolders, too, in the order of their paths; a path of anything else is
/// itself, whether it exists or not. Links to folders are not followed. Throws Error for a folder that holds none or
/// cannot be read.
std::vector<std::filesystem::path> rule_paths(const std::filesystem::path& path);

}  // namespace ascribe
