#include "interpreter/pack/loader.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "grammar/filled_text.hpp"
#include "grammar/fixes.hpp"
#include "grammar/limits.hpp"
#include "grammar/parser.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/import_path.hpp"
#include "interpreter/pack/lock.hpp"
#include "interpreter/pack/pack_folder.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;
using language::Definitions;
using Kind = Files::Kind;
using DefinitionsPointer = std::shared_ptr<const Definitions>;

constexpr const char* give_rule_files = "give the path of a .rule file, or of a folder with a pack.rule";

// What has a scope of its own: a pack's folder, or a file that is named itself.
struct Unit {
  fs::path path;
  std::string identity;
  bool folder;
  bool searched = false;  // found on the search path
};

struct LoadedFile {
  fs::path path;
  std::string identity;
  std::shared_ptr<const syntax::File> tree;
};

struct Contents {
  std::vector<const LoadedFile*> files;
  language::PackInfo pack;
};

// A unit that is being loaded, and the import that led to it (no place for what the caller named).
struct Open {
  Unit unit;
  Label import;
  std::set<std::string> files{};
};

class Loader {
 public:
  Loader(const LoadOptions& options, const Definitions& standard, PackOwners before = {})
      : reading_(options), standard_(standard), owners_(std::move(before)) {}

  Loaded load(const std::vector<fs::path>& paths);
  LoadedImports load_imports(const std::vector<const syntax::File*>& entered);
  Survey survey(const fs::path& path);

 private:
  template <typename Action>
  std::vector<Diagnostic> finish(Action action);
  void load_all(const std::vector<fs::path>& paths, Loaded& out);
  Unit named_by_caller(const fs::path& path) const;
  const LoadedFile* file(const fs::path& path, const Label& from, bool of_pack = false);
  std::optional<Contents> contents(const Unit& unit, const Label& from);
  std::optional<Contents> single_file(const Unit& unit, const Label& from);
  std::optional<std::vector<PackFile>> locked_files(const Unit& unit);
  bool owns_name(const Unit& unit, const language::PackInfo& info);
  DefinitionsPointer unit(const Unit& unit, const Label& from);
  Definitions check(const std::vector<const LoadedFile*>& files, const Definitions* beside);

  DefinitionsPointer import(const syntax::Import& written, const SourcePointer& source, const fs::path& importer);
  std::optional<Unit> imported_unit(const syntax::Import& written, const fs::path& importer, const Label& where);
  void report_circle(std::size_t first, const Label& where);
  void join(Definitions& all, const Definitions& pack);

  // A message at the import that leads to something, or without a place.
  Diagnostic& report(Code code, const Label& where, std::string message, std::string help);
  void report_all(const Error& error, const Label& from);

  Reading reading_;
  const Definitions& standard_;
  std::vector<Diagnostic> diagnostics_;
  std::map<std::string, std::unique_ptr<LoadedFile>> files_;
  std::map<std::string, DefinitionsPointer> units_;
  std::map<std::string, language::PackInfo> packs_;
  PackOwners owners_;
  std::vector<LoadedImport> imports_;  // of the first unit
  std::vector<Open> open_;             // one imports the next

  struct NotedImport {
    SourcePointer source;
    std::string alias, leads;
  };
  void note(const Unit& unit, const Contents& contents, const Definitions& checked);
  bool surveying_ = false;  // keeps what is sound, whatever else there is
  std::map<std::string, SurveyedUnit> survey_units_;
  std::map<std::string, std::vector<const LoadedFile*>> survey_files_;  // of these units
  std::vector<NotedImport> survey_imports_;
};

// Throws what was found, and gives the warnings where that is all there is.
template <typename Action>
std::vector<Diagnostic> Loader::finish(Action action) {
  try {
    action();
  } catch (const GiveUp& reason) {  // its place is the import that is followed
    report_all(reason, open_.empty() ? Label{} : open_.back().import);
  } catch (const Error& error) {
    report_all(error, {});
  }
  put_in_order(diagnostics_);
  cut(diagnostics_);
  add_fixes(diagnostics_);
  if (has_errors(diagnostics_)) throw Error(std::move(diagnostics_));
  return std::move(diagnostics_);
}

Loaded Loader::load(const std::vector<fs::path>& paths) {
  Loaded out;
  out.warnings = finish([&] { load_all(paths, out); });
  out.packs = std::make_shared<const PackOwners>(std::move(owners_));
  return out;
}

LoadedImports Loader::load_imports(const std::vector<const syntax::File*>& entered) {
  LoadedImports out;
  out.warnings = finish([&] {
    open_.push_back({Unit{"", "", false}, {}});  // which nothing can import
    for (auto* each : entered)
      for (auto& item : each->items)
        if (auto* written = std::get_if<syntax::Import>(&item.node))
          out.definitions[written->name.text] = import(*written, each->source, "entered");
    open_.pop_back();
  });
  return out;
}

void Loader::note(const Unit& unit, const Contents& contents, const Definitions& checked) {
  survey_units_[unit.identity] = {
      unit.path, unit.folder, contents.pack.name, {}, std::make_shared<const Definitions>(checked)};
  survey_files_[unit.identity] = contents.files;
}

Survey Loader::survey(const fs::path& path) {
  surveying_ = true;
  Survey out;
  try {
    auto named = named_by_caller(path);
    out.root = named.identity;
    unit(named, {});
  } catch (const GiveUp& reason) {
    report_all(reason, open_.empty() ? Label{} : open_.back().import);
  } catch (const Error& error) {
    report_all(error, {});
  }
  std::map<const Source*, std::size_t> places;
  for (auto& [identity, loaded] : files_) {
    if (!loaded) continue;
    places[loaded->tree->source.get()] = out.files.size();
    out.files.push_back({loaded->path, identity, loaded->tree});
  }
  for (auto& [identity, each] : survey_units_) {
    for (auto* file : survey_files_[identity]) each.files.push_back(places.at(file->tree->source.get()));
    out.units.emplace(identity, std::move(each));
  }
  for (auto& each : survey_imports_)
    if (auto found = places.find(each.source.get()); found != places.end())
      out.imports.push_back({found->second, each.alias, each.leads});
  put_in_order(diagnostics_);
  add_fixes(diagnostics_);
  out.diagnostics = std::move(diagnostics_);
  return out;
}

void Loader::load_all(const std::vector<fs::path>& paths, Loaded& out) {
  std::vector<Unit> packs, singles;
  for (auto& path : paths) {
    auto named = named_by_caller(path);
    (named.folder ? packs : singles).push_back(std::move(named));
  }
  std::vector<const LoadedFile*> files;
  for (auto& single : singles) {
    auto found = single_file(single, {});
    if (!found) return;
    auto* loaded = found->files[0];
    if (std::find(files.begin(), files.end(), loaded) == files.end()) files.push_back(loaded);
  }
  Definitions all;
  std::set<std::string> joined;
  for (auto& pack : packs) {
    auto definitions = unit(pack, {});
    if (!definitions) return;
    if (joined.insert(pack.identity).second) join(all, *definitions);
  }
  if (paths.size() == 1 && !packs.empty()) {
    out.pack = packs_[packs[0].identity];
    out.imports = std::move(imports_);
  }
  // Several files together are no unit that anything could import.
  open_.push_back({singles.size() == 1 ? singles[0] : Unit{"", "", false}, {}});
  auto own = check(files, packs.empty() ? nullptr : &all);
  open_.pop_back();
  all.targets.merge(own.targets);
  all.functions.merge(own.functions);
  all.tests.insert(all.tests.end(), own.tests.begin(), own.tests.end());
  out.definitions = std::make_shared<const Definitions>(std::move(all));
}

Unit Loader::named_by_caller(const fs::path& path) const {
  auto unit = [&](const fs::path& where, bool folder) { return Unit{where, reading_.resolve(where).string(), folder}; };
  auto kind = reading_.behind(path);
  if (kind == Kind::nothing) throw unreadable(path, "no such file", give_rule_files);
  if (kind == Kind::file)
    return path.filename() == pack_file_name ? unit(folder_of_pack(reading_, path), true) : unit(path, false);
  if (kind != Kind::folder) throw unreadable(path, cannot_be_looked_at, check_permissions);
  if (auto why = why_no_pack(reading_, path); !why.empty())
    throw unreadable(path, "it is a folder " + why, give_rule_files);
  return unit(path, true);
}

// -------------------------------------------------------------------------------------------------------------- files

const LoadedFile* Loader::file(const fs::path& path, const Label& from, bool of_pack) {
  auto identity = reading_.resolve(path).string();
  if (auto found = files_.find(identity); found != files_.end()) return found->second.get();
  SourcePointer source;
  try {
    source = reading_.read(path);
  } catch (const GiveUp&) {
    throw;
  } catch (const Error& error) {
    report_all(error, from);
    return nullptr;
  }
  std::vector<Diagnostic> mistakes;
  auto& slot = files_[identity];
  slot = std::make_unique<LoadedFile>(
      LoadedFile{path, identity, std::make_shared<const syntax::File>(parse_file(source, mistakes))});
  if (of_pack)
    if (auto newer = language::needs_newer_language(*slot->tree)) {
      if (from.source) newer->others.push_back({from.source, from.span, "imported here"});
      mistakes = {std::move(*newer)};
    }
  diagnostics_.insert(diagnostics_.end(), mistakes.begin(), mistakes.end());
  if (!of_pack) language::refuse_packs(*slot->tree, diagnostics_);
  return slot.get();
}

std::optional<Contents> Loader::single_file(const Unit& unit, const Label& from) {
  if (reading_.options().require_lock) {
    report(Code::not_locked, from, filled("no lock covers '{}'", shown(unit.path)),
           filled("make a pack of it: a folder with a pack.rule (`{}`), then `ascribe pack lock`", pack_example));
    return {};
  }
  auto* loaded = file(unit.path, from);
  if (!loaded) return {};
  return Contents{{loaded}, {}};
}

std::optional<Contents> Loader::contents(const Unit& unit, const Label& from) try {
  if (!unit.folder) return single_file(unit, from);
  auto files = locked_files(unit);
  // pack.rule comes first: a pack in a newer language is not looked at further.
  auto* first = file(unit.path / pack_file_name, from, /*of_pack=*/true);
  if (!first || language::needs_newer_language(*first->tree)) return {};
  Contents out;
  out.pack = language::check_pack(*first->tree, diagnostics_);
  if (!owns_name(unit, out.pack)) return {};
  if (!files) {
    files = files_of_pack(reading_, unit.path);
    reading_.refuse_too_many(files->size() - 1);  // pack.rule was read
  }
  bool readable = true;
  for (auto& each : *files) {
    auto* loaded = file(each.path, from);
    readable = readable && loaded;
    if (loaded) out.files.push_back(loaded);
  }
  if (!readable) return {};  // what is missing would be missed in the others
  return out;
} catch (const GiveUp&) {
  throw;
} catch (const Error& error) {
  report_all(error, from);
  return {};
}

// The pack's files where it has a lock: they are as that says, or this throws Error.
std::optional<std::vector<PackFile>> Loader::locked_files(const Unit& unit) {
  auto source = find_lock(reading_, unit.path);
  if (!source && reading_.options().require_lock) throw Error(has_no_lock(unit.path));
  if (!source) return {};
  auto lock = read_lock(source);
  auto texts = texts_of_pack(reading_, unit.path);
  if (auto found = differences(lock, texts); !found.empty()) {
    if (!surveying_) throw Error(differs(unit.path, found));
    diagnostics_.push_back(differs(unit.path, found));
  }
  std::vector<PackFile> out;
  for (auto& each : texts) out.push_back(std::move(each.file));
  return out;
}

bool Loader::owns_name(const Unit& unit, const language::PackInfo& info) {
  if (info.name.empty()) return true;  // that has its message
  auto import = open_.back().import;
  auto [owner, fresh] = owners_.by_name.emplace(info.name, PackOwner{unit.identity, info.named, import});
  if (fresh || owner->second.identity == unit.identity) return true;
  auto& diagnostic = report(Code::repeated_pack, info.named, filled("two packs are called `{}`", info.name),
                            "rename one of them, or import one and the same from everywhere");
  auto add = [&](Label label, const char* text) {
    if (!label.source) return;
    label.text = text;
    diagnostic.others.push_back(std::move(label));
  };
  add(import, "imported here");
  add(owner->second.named, "the other one");
  add(owner->second.import, "imported here");
  return false;
}

// -------------------------------------------------------------------------------------------------------------- units

DefinitionsPointer Loader::unit(const Unit& unit, const Label& from) {
  if (auto found = units_.find(unit.identity); found != units_.end()) return found->second;
  open_.push_back({unit, from});
  auto found = contents(unit, from);
  DefinitionsPointer definitions;
  if (found) {
    for (auto* each : found->files) open_.back().files.insert(each->identity);
    packs_[unit.identity] = found->pack;
    auto checked = check(found->files, nullptr);
    if (surveying_) note(unit, *found, checked);
    definitions = std::make_shared<const Definitions>(language::exported(std::move(checked)));
  }
  open_.pop_back();
  units_.emplace(unit.identity, definitions);
  return definitions;
}

// What the files import is checked before they are.
Definitions Loader::check(const std::vector<const LoadedFile*>& files, const Definitions* beside) {
  language::Surroundings surroundings{&standard_, beside};
  std::vector<const syntax::File*> trees;
  for (auto* each : files) {
    trees.push_back(each->tree.get());
    for (auto& item : each->tree->items)
      if (auto* written = std::get_if<syntax::Import>(&item.node))
        surroundings.imports.emplace(written, import(*written, each->tree->source, each->path));
  }
  return language::check(trees, surroundings, diagnostics_);
}

void Loader::join(Definitions& all, const Definitions& pack) {
  auto add = [&](auto& into, auto& more) {
    for (auto& [name, definition] : more) {
      auto [found, fresh] = into.emplace(name, definition);
      if (fresh) continue;
      auto &first = language::place_of(found->second), &second = language::place_of(definition);
      report(Code::duplicate_name, {second.source, second.span, ""}, filled("two of the packs define `{}`", name),
             "load one of them, and import the other")
          .others.push_back({first.source, first.span, "first here"});
    }
  };
  add(all.targets, pack.targets);
  add(all.functions, pack.functions);
  all.hidden.insert(pack.hidden.begin(), pack.hidden.end());
  all.tests.insert(all.tests.end(), pack.tests.begin(), pack.tests.end());
}

// ------------------------------------------------------------------------------------------------------------ imports

DefinitionsPointer Loader::import(const syntax::Import& written, const SourcePointer& source,
                                  const fs::path& importer) {
  Label where{source, written.path.span, ""};
  auto leads = imported_unit(written, importer, where);
  if (surveying_) survey_imports_.push_back({source, written.name.text, leads ? leads->identity : ""});
  if (!leads) return nullptr;
  for (std::size_t i = 0; i < open_.size(); ++i)
    if (open_[i].unit.identity == leads->identity) {
      report_circle(i, where);
      return nullptr;
    }
  if (open_.size() > limits.import_depth && !units_.contains(leads->identity)) {
    report(Code::too_deep, where, filled("imports lead to imports more than {} deep", limits.import_depth),
           "import what is needed where it is needed");
    return nullptr;
  }
  auto definitions = unit(*leads, where);
  auto& pack = packs_[leads->identity];
  if (open_.size() == 1)
    imports_.push_back({written.path.value, written.name.text, leads->path, pack.name, pack.version});
  if (!leads->searched || pack.name.empty() || pack.name == leads->path.filename()) return definitions;
  report(Code::bad_import, where,
         filled("'{}' is the pack `{}`, not `{}`", shown(leads->path), pack.name, shown(leads->path.filename())),
         "on the search path, a pack's folder has the pack's name: rename the folder")
      .others.push_back({pack.named.source, pack.named.span, "its name"});
  return nullptr;
}

std::optional<Unit> Loader::imported_unit(const syntax::Import& written, const fs::path& importer,
                                          const Label& where) try {
  auto found = find_import(reading_, written.path.value, importer);
  if (!found.folder && open_.back().unit.folder && open_.back().files.contains(found.identity)) {
    report(Code::bad_import, where, filled("cannot import '{}': it belongs to this pack", shown(written.path.value)),
           "the files of a pack share one scope: leave the import out");
    return {};
  }
  refuse_ways_around(reading_, written.path.value, importer, found);
  return Unit{found.path, found.identity, found.folder, found.searched};
} catch (const GiveUp&) {
  throw;
} catch (const Error& error) {
  report_all(error, where);
  return {};
}

void Loader::report_circle(std::size_t first, const Label& where) {
  if (first + 1 == open_.size()) {
    auto& own = open_[first].unit;
    report(Code::import_cycle, where, own.folder ? "the pack imports itself" : "the file imports itself",
           own.folder ? "the files of a pack share one scope: leave the import out"
                      : "a file's own names need no import: leave it out");
    return;
  }
  constexpr std::size_t most = 8;  // units of a circle that are shown
  std::vector<std::string> names;
  std::vector<Label> steps;
  for (auto i = first; i < open_.size(); ++i) {
    if (i >= first + most / 2 && i + most / 2 < open_.size()) {
      if (names.back() != "…") names.emplace_back("…");
      continue;
    }
    names.push_back(filled("'{}'", shown(open_[i].unit.path)));
    if (i > first) steps.push_back({open_[i].import.source, open_[i].import.span, ""});
  }
  names.push_back(names.front());
  auto& diagnostic =
      report(Code::import_cycle, where, filled("imports lead in a circle: {}", fmt::join(names, " imports ")),
             "move what both need into a file that imports neither");
  diagnostic.others = std::move(steps);
}

// ----------------------------------------------------------------------------------------------------------- messages

Diagnostic& Loader::report(Code code, const Label& where, std::string message, std::string help) {
  diagnostics_.push_back({.code = code, .message = std::move(message), .primary = where, .help = std::move(help)});
  return diagnostics_.back();
}

// Those without a place get one: the import that leads there. What cannot be read is a bad import then.
void Loader::report_all(const Error& error, const Label& from) {
  for (auto each : error.diagnostics()) {
    if (!each.primary.source) {
      if (from.source && each.code == Code::unreadable_file) each.code = Code::bad_import;
      each.primary = from;
    }
    diagnostics_.push_back(std::move(each));
  }
}

}  // namespace

Loaded load_files(const std::vector<fs::path>& paths, const LoadOptions& options, const Definitions& standard) {
  return Loader(options, standard).load(paths);
}

Survey survey(const fs::path& path, const LoadOptions& options, const Definitions& standard) {
  return Loader(options, standard).survey(path);
}

LoadedImports load_imports(const std::vector<const syntax::File*>& entered, const PackOwners& before,
                           const LoadOptions& options, const Definitions& standard) {
  return Loader(options, standard, before).load_imports(entered);
}

}  // namespace ascribe
