// From paths to checked definitions: the files of packs, what they import, what these import, each loaded once.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grammar/error.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/reading.hpp"

namespace ascribe {

/// An import of a pack that is loaded by its own path, and where it leads.
struct LoadedImport {
  std::string written, alias;
  std::filesystem::path leads;
  std::string name, version;  ///< of the pack that it leads to; empty for a file
};

/// Who has a pack's name: where it lies, what says so, and the import that led there.
struct PackOwner {
  std::string identity;
  Label named, import;
};

/// The packs of a loading, by their names: no two may have one.
struct PackOwners {
  std::map<std::string, PackOwner> by_name{};
};

struct Loaded {
  std::shared_ptr<const language::Definitions> definitions;
  std::vector<Diagnostic> warnings;
  std::string name{}, version{};        ///< of the pack, where one pack is all that was loaded
  int language = 0;                     ///< of that pack
  std::vector<LoadedImport> imports{};  ///< of that pack, in the order of its files
  std::shared_ptr<const PackOwners> packs = std::make_shared<const PackOwners>();  ///< imported ones, too
};

/// What imports lead to, by their aliases.
struct LoadedImports {
  std::map<std::string, std::shared_ptr<const language::Definitions>> definitions;
  std::vector<Diagnostic> warnings;
};

/// Loads `.rule` files, which share one scope, and packs (folders with a pack.rule), whose public names join it. Throws
/// Error with every mistake that was found.
Loaded load_files(const std::vector<std::filesystem::path>& paths, const LoadOptions& options,
                  const language::Definitions& standard);

/// Loads what the imports of these texts lead to. They were entered: they are as a file would be that lies in the
/// working directory, beside what was loaded before. Throws Error with every mistake that was found; the texts
/// themselves are not checked.
LoadedImports load_imports(const std::vector<const syntax::File*>& entered, const PackOwners& before,
                           const LoadOptions& options, const language::Definitions& standard);

/// Loads texts that share one scope and lie in no folder, so that they can import nothing. `standard` is null for the
/// standard pack's own.
Loaded load_texts(const std::vector<SourcePointer>& sources, const language::Definitions* standard);

}  // namespace ascribe
