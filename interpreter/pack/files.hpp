// Reading rule files.
#pragma once

#include <filesystem>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// The whole file as a source named as the path was given. Throws Error (unreadable_file, too_large).
SourcePointer read_source(const std::filesystem::path& path);

}  // namespace ascribe
