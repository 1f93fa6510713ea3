#include "interpreter/pack/rule_paths.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "grammar/diagnostic.hpp"

namespace ascribe {

std::vector<std::filesystem::path> rule_paths(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {path};
  std::vector<std::filesystem::path> out;
  std::filesystem::recursive_directory_iterator entry(path, error), end;
  while (!error && entry != end) {
    std::error_code unknown;  // what vanishes meanwhile is no file
    if (entry->path().extension() == ".rule" && !entry->is_directory(unknown)) out.push_back(entry->path());
    entry.increment(error);
  }
  if (error)
    throw Error({.code = Code::unreadable_file,
                 .message = fmt::format("cannot read '{}': {}", path.string(), error.message()),
                 .help = "check its permissions"});
  if (out.empty())
    throw Error({.code = Code::unreadable_file,
                 .message = fmt::format("cannot read '{}': the folder holds no .rule file", path.string()),
                 .help = "give the path of a .rule file, or of a folder that holds some"});
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace ascribe
