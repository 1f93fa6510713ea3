// Where an import leads: from the importing file, or over the search path.
#pragma once

#include <filesystem>
#include <string>

#include "interpreter/pack/reading.hpp"

namespace ascribe {

struct FoundImport {
  std::filesystem::path path;  ///< of a pack's folder or of a `.rule` file, as messages show it
  std::string identity;        ///< the path, resolved
  bool folder;
  bool searched;  ///< found on the search path, not beside the importing file
};

/// What `import "written"` in a file means. Beside the file first, that is from the file's folder; then, unless
/// `written` begins with `./` or `../`, in each folder of the search path. The first place where there is anything of
/// that name counts, whatever it is. Throws Error (bad_import).
FoundImport find_import(const Reading& reading, const std::string& written, const std::filesystem::path& importer);

/// Throws Error (outside_of_pack) for a way out of the importing file's pack that is not the search path, and for what
/// only other files of its own pack may reach: one of a pack's files, or a nested pack in a folder whose name begins
/// with `_`.
void refuse_ways_around(const Reading& reading, const std::string& written, const std::filesystem::path& importer,
                        const FoundImport& found);

}  // namespace ascribe
