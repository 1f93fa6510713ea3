// The rules, composites and functions of a session: those that were entered, in front of those that were loaded, in
// front of the standard ones. Immutable: every change makes a new value, or nothing where it would be a mistake.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/definitions.hpp"

namespace ascribe::repl {

/// A definition that was entered, as a file of its own.
struct EnteredDefinition {
  enum class Sort { target, function, test, import } sort;
  std::string name;
  std::string text;  ///< as it was entered, with its doc comment
  syntax::File file;
};

/// Where a rule or composite may come from that is not there.
inline constexpr const char* unknown_target_help =
    "`:rules` lists what there is; `:load mine.rule` reads the file that defines it";

class Definitions {
 public:
  using Imports = std::map<std::string, std::shared_ptr<const language::Definitions>>;

  Definitions();

  /// With these definitions, each in the place of one of its name. Throws Error with all mistakes; `warnings` get what
  /// is worth knowing about what was added. Where an import is among them, all imports are read.
  Definitions with(std::vector<syntax::Item> items, const SourcePointer& source, const LoadOptions& loading,
                   std::vector<Diagnostic>& warnings) const;
  /// Without the definitions of these names. Throws Error where others need them.
  Definitions without(const std::set<std::string>& names) const;
  /// With these files and packs loaded, and no others; what was imported is read anew, too.
  Definitions with_loaded(std::vector<std::filesystem::path> paths, const LoadOptions& loading,
                          std::vector<Diagnostic>& warnings) const;

  bool has(const std::string& name) const;
  const std::vector<std::shared_ptr<const EnteredDefinition>>& entered() const { return entered_; }
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  const Pack& loaded() const { return loaded_; }
  /// What the imports that were entered lead to.
  const Imports& imports() const { return imports_; }
  /// What was entered.
  const language::Definitions& own() const { return *own_; }
  /// What expressions see besides the standard pack.
  const language::Definitions& visible() const { return *visible_; }
  /// The tests among them, checked.
  std::shared_ptr<const language::Test> test(const std::string& name) const;

 private:
  void load_imports(const LoadOptions& loading, std::vector<Diagnostic>& warnings);
  void check(const SourcePointer& added, std::vector<Diagnostic>& warnings);

  std::vector<std::filesystem::path> paths_;
  Pack loaded_;
  std::vector<std::shared_ptr<const EnteredDefinition>> entered_;
  Imports imports_;
  std::shared_ptr<const language::Definitions> own_, visible_;
};

/// `1 rule`, `2 rules`.
std::string counted(std::size_t count, const char* word);

/// `2 rules, 1 composite`: what is there.
std::string content_of(const language::Definitions& definitions);

using EnteredDefinitions = std::vector<std::shared_ptr<const EnteredDefinition>>;

/// What a rule file may hold of what was entered: all but imports that nothing uses, which are mistakes there.
EnteredDefinitions for_rule_file(const EnteredDefinitions& entered);

/// The definitions as a rule file's text in canonical form, as if it lay in `folder`.
std::string as_rule_file(const EnteredDefinitions& entered, const std::filesystem::path& folder);

}  // namespace ascribe::repl
