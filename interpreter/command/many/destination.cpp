#include "interpreter/command/many/destination.hpp"

#include <algorithm>
#include <filesystem>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {

bool Destination::is_one(const std::string& given) {
  return given.ends_with('/') || given.find('*') != std::string::npos || std::filesystem::is_directory(given);
}

Destination::Destination(const std::string& given, const char* option, const std::string& ending) {
  auto pattern = given;
  if (pattern.find('*') == std::string::npos) pattern += (pattern.ends_with('/') ? "*" : "/*") + ending;
  auto star = pattern.find('*');
  before_ = pattern.substr(0, star), after_ = pattern.substr(star + 1);
  if (after_.find('*') != std::string::npos || after_.find('/') != std::string::npos)
    throw usage_error(filled("{} '{}' is no pattern for files: it has one `*`, in the file's name", option, given),
                      filled("write `{} maps/`, or `{} 'maps/*{}'`", option, option, ending));
}

std::string Destination::path_of(const std::string& name) const { return before_ + name + after_; }

std::string Destination::folder() const {
  auto slash = before_.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : before_.substr(0, slash);
}

}  // namespace ascribe::command
