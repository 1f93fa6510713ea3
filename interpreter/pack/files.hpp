// Paths as messages show them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "ascribe/error.hpp"

namespace ascribe {

/// A path as messages show it: one line of text, not too long.
std::string shown(const std::filesystem::path& path);

/// The same for a command that can be pasted into a shell: in single quotes where it needs some.
std::string in_shell(const std::filesystem::path& path);

/// Whether a control character begins there: those of ASCII, and those of Unicode that have two bytes, which terminals
/// may obey, too.
bool is_control(std::string_view text, std::size_t at);

/// What the system says of an `errno`, in the form of our messages: "permission denied".
std::string reason(int error);

/// Of what is there, and is neither a file nor a folder that can be read.
inline constexpr const char* cannot_be_looked_at = "it is neither a file nor a folder that can be looked into";
inline constexpr const char* check_permissions = "check its permissions, and those of the folders that it lies in";

/// "cannot read 'acme/a.rule': permission denied"
Error unreadable(const std::filesystem::path& path, std::string_view why, std::string help);

}  // namespace ascribe
