// Paths as messages show them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ascribe/error.hpp"

namespace ascribe {

/// A path as messages show it: one line of text, not too long.
std::string shown(const std::filesystem::path& path);

/// The same for a command that can be pasted into a shell: in single quotes where it needs some.
std::string in_shell(const std::filesystem::path& path);

/// "cannot read 'acme/a.rule': permission denied"
Error unreadable(const std::filesystem::path& path, std::string_view why, std::string help);

}  // namespace ascribe
