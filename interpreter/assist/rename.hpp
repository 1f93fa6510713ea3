// Giving something another name, wherever it is meant, so that the program stays the same.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grammar/error.hpp"
#include "grammar/fixes.hpp"
#include "interpreter/assist/symbols.hpp"

namespace ascribe::assist {

/// The name at an offset that could be another one, with its span. Throws Error with the reason where it could not.
struct Renameable {
  Symbol symbol;
  Span span;
};
Renameable renameable(const Project& project, const PagePointer& page, std::size_t offset);

/// The edits of each of the project's own pages, by identity; who imports them from elsewhere is not looked at. Throws
/// Error where the new name is none, is taken, or would be taken for something else somewhere: every name of the
/// changed files has to mean what it means now.
std::map<std::string, std::vector<Edit>> rename(const Project& project, const PagePointer& page, std::size_t offset,
                                                const std::string& name);

}  // namespace ascribe::assist
