// From paths to checked definitions: the files of packs, what they import, what these import, each loaded once.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe {

struct Loaded {
  std::shared_ptr<const language::Definitions> definitions;
  std::vector<Diagnostic> warnings;
  std::string name, version;  ///< of the pack, where one pack is all that was loaded
};

/// Loads `.rule` files, which share one scope, and packs (folders with a pack.rule), whose public names join it. Throws
/// Error with every mistake that was found.
Loaded load_files(const std::vector<std::filesystem::path>& paths, const FileReader& reader,
                  const language::Definitions& standard);

/// Loads texts that share one scope and lie in no folder, so that they can import nothing. `standard` is null for the
/// standard pack's own.
Loaded load_texts(const std::vector<SourcePointer>& sources, const language::Definitions* standard);

}  // namespace ascribe
