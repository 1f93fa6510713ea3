#include "interpreter/command/mending.hpp"

#include <algorithm>
#include <iostream>
#include <map>

#include "grammar/fixes.hpp"
#include "interpreter/command/line_diff.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {

std::size_t mend(const std::vector<Diagnostic>& diagnostics, const std::vector<std::filesystem::path>& files,
                 bool show) {
  std::map<std::string, SourcePointer> sources;
  for (auto& each : diagnostics)
    if (each.primary.source) sources.emplace(each.primary.source->name(), each.primary.source);
  std::size_t made = 0;
  for (auto& [name, source] : sources) {
    auto edits = sure_edits(diagnostics, *source);
    if (edits.empty()) continue;
    // What is imported from elsewhere is somebody else's.
    std::error_code error;
    auto file = std::find_if(files.begin(), files.end(),
                             [&, &path = name](auto& each) { return std::filesystem::equivalent(each, path, error); });
    if (file == files.end() || read_source(*file)->text() != source->text()) continue;
    auto mended = edited(source->text(), edits);
    if (show)
      std::cout << unified_diff(name, source->text(), mended);
    else
      files::write_file(*file, {mended});
    made += edits.size();
  }
  return made;
}

}  // namespace ascribe::command
