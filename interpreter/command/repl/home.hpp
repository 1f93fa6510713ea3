// `~` in the paths of a session is the user's home, as in a shell.
#pragma once

#include <filesystem>
#include <string>

namespace ascribe::repl {

std::filesystem::path with_home(const std::string& path);

}  // namespace ascribe::repl
