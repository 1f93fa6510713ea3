// `ascribe check --fix`: the edits that are sure, made in the files or shown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "grammar/error.hpp"

namespace ascribe::command {

/// Makes the edits that are sure in the given files, and in no others; the files are written whole or not at all. With
/// `show`, nothing is written, and a unified diff goes to standard output. Gives how many edits there were. Throws
/// Error (unwritable_file).
std::size_t mend(const std::vector<Diagnostic>& diagnostics, const std::vector<std::filesystem::path>& files,
                 bool show);

}  // namespace ascribe::command
