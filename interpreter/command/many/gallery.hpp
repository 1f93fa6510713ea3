// A page of the pictures of many inputs.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "interpreter/command/many/summary.hpp"

namespace ascribe::command {

/// HTML that shows the pictures of a run, with what the model said of each; to be sorted,
/// and narrowed to a class or a name. `way`: from the page to the summary, whose
/// paths they have. Names and labels are text in it, and run nothing.
std::string gallery_page(const std::map<std::size_t, Summary::Batch>& batches, const std::filesystem::path& way,
                         const std::string& rules);

}  // namespace ascribe::command
