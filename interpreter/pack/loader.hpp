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
#include "interpreter/language/pack_checker.hpp"
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
  language::PackInfo pack{};            ///< of the pack, where one pack is all that was loaded
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

/// A file of a survey: its tree lives as long as what was made of it.
struct SurveyedFile {
  std::filesystem::path path;
  std::string identity;  ///< the path, resolved
  std::shared_ptr<const syntax::File> tree;
};

/// A pack, or a file that is no pack's: the files that share one scope.
struct SurveyedUnit {
  std::filesystem::path path;
  bool folder = false;
  std::string name{};                ///< of a pack
  std::vector<std::size_t> files{};  ///< of `Survey::files`
  /// What is sound, private names included; null where the files could not be read.
  std::shared_ptr<const language::Definitions> definitions{};
};

/// Where an import of a file leads.
struct SurveyedImport {
  std::size_t file;  ///< of `Survey::files`
  std::string alias;
  std::string leads;  ///< the identity of a unit; empty where it leads nowhere
};

/// What there is at a path, whether it is sound or not: for those who look at texts that are being written.
struct Survey {
  std::string root;  ///< the identity of what was asked for
  std::vector<SurveyedFile> files{};
  std::map<std::string, SurveyedUnit> units{};  ///< by identity: the root, and what it imports
  std::vector<SurveyedImport> imports{};
  std::vector<Diagnostic> diagnostics{};  ///< of all files, in the order of their places; not cut
};

/// Loads a file or a pack as `load_files` does and keeps what is sound: mistakes are in the survey. A lock that differs
/// is one of them, and the files are read all the same. `path` is a pack's folder, or a file, which is taken alone.
Survey survey(const std::filesystem::path& path, const LoadOptions& options, const language::Definitions& standard);

/// Loads texts that share one scope and lie in no folder, so that they can import nothing. `standard` is null for the
/// standard pack's own.
Loaded load_texts(const std::vector<SourcePointer>& sources, const language::Definitions* standard);

}  // namespace ascribe
