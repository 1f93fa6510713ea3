#include "interpreter/command/repl/home.hpp"

#include <algorithm>
#include <cstdlib>

namespace ascribe::repl {

std::filesystem::path with_home(const std::string& path) {
  auto* home = std::getenv("HOME");
  if (!home || (path != "~" && !path.starts_with("~/"))) return path;
  return std::filesystem::path(home) / path.substr(std::min<std::size_t>(path.size(), 2));
}

}  // namespace ascribe::repl
