// The difference of two texts, line by line, as people and `patch` read it.
#pragma once

#include <string>
#include <string_view>

namespace ascribe::command {

/// A unified diff with three lines of context; empty where the texts are equal. `name` stands for both files. The
/// difference is a shortest one, unless the texts have so little in common that finding it would take too long: then
/// everything between the first and the last line that differs is replaced.
std::string unified_diff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace ascribe::command
