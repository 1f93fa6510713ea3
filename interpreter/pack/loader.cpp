#include "interpreter/pack/loader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "grammar/limits.hpp"
#include "grammar/parser.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/language/pack_checker.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;
using language::Definitions;
using Kind = FileReader::Kind;
using DefinitionsPointer = std::shared_ptr<const Definitions>;

constexpr const char* pack_file_name = "pack.rule";
constexpr const char* pack_example = "pack name { version = \"1.0.0\"; language = 1 }";

// What has a scope of its own: a pack's folder, or a file that is named itself.
struct Unit {
  fs::path path;
  std::string identity;
  bool folder;
};

struct LoadedFile {
  fs::path path;
  std::string identity;
  syntax::File tree;
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
  Loader(const FileReader& reader, const Definitions& standard) : reader_(reader), standard_(standard) {}

  Loaded load(const std::vector<fs::path>& paths);

 private:
  void load_all(const std::vector<fs::path>& paths, Loaded& out);
  Unit named_by_caller(const fs::path& path) const;
  const LoadedFile* file(const fs::path& path, const Label& from, bool of_pack = false);
  std::optional<Contents> contents(const Unit& unit, const Label& from);
  std::optional<std::vector<fs::path>> rule_files(const fs::path& folder, const Label& from);
  DefinitionsPointer unit(const Unit& unit, const Label& from);
  Definitions check(const std::vector<const LoadedFile*>& files, const Definitions* beside);

  DefinitionsPointer import(const syntax::Import& written, const LoadedFile& file);
  std::optional<Unit> imported_unit(const syntax::Import& written, const LoadedFile& file, const Label& where);
  void report_circle(std::size_t first, const Label& where);
  void join(Definitions& all, const Definitions& pack);

  // A message at the import that leads to something, or without a place.
  Diagnostic& report(Code code, const Label& where, std::string message, std::string help);
  void report_unreadable(const Error& error, const Label& from);
  [[noreturn]] void give_up(const Label& from, std::string message) const;

  const FileReader& reader_;
  const Definitions& standard_;
  std::vector<Diagnostic> diagnostics_;
  std::map<std::string, std::unique_ptr<LoadedFile>> files_;
  std::map<std::string, DefinitionsPointer> units_;
  std::map<std::string, language::PackInfo> packs_;
  std::vector<Open> open_;  // one imports the next
  std::size_t bytes_ = 0, entries_ = 0;
};

Loaded Loader::load(const std::vector<fs::path>& paths) {
  Loaded out;
  try {
    load_all(paths, out);
  } catch (const Error& error) {
    diagnostics_.insert(diagnostics_.end(), error.diagnostics().begin(), error.diagnostics().end());
  }
  put_in_order(diagnostics_);
  if (has_errors(diagnostics_)) throw Error(std::move(diagnostics_));
  out.warnings = std::move(diagnostics_);
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
    auto* loaded = file(single.path, {});
    if (!loaded) return;
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
    out.name = packs_[packs[0].identity].name;
    out.version = packs_[packs[0].identity].version;
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
  auto refuse = [&](const char* why) {
    return Error({.code = Code::unreadable_file,
                  .message = fmt::format("cannot read '{}': {}", shown(path), why),
                  .help = "give the path of a .rule file, or of a folder with a pack.rule"});
  };
  auto kind = reader_.kind(path);
  if (kind == Kind::missing) throw refuse("no such file");
  if (kind == Kind::folder) {
    if (reader_.kind(path / pack_file_name) != Kind::file) throw refuse("it is a folder without a pack.rule");
    return {path, reader_.identity(path), true};
  }
  if (kind == Kind::file && path.filename() == pack_file_name) {
    auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    return {folder, reader_.identity(folder), true};
  }
  return {path, reader_.identity(path), false};
}

// -------------------------------------------------------------------------------------------------------------- files

const LoadedFile* Loader::file(const fs::path& path, const Label& from, bool of_pack) {
  auto identity = reader_.identity(path);
  auto& slot = files_[identity];
  if (slot) return slot.get();
  if (files_.size() > limits.pack_files)
    give_up(from, fmt::format("more than {} files are loaded together", limits.pack_files));
  std::string text;
  try {
    text = reader_.read(path);
  } catch (const Error& error) {
    report_unreadable(error, from);
    files_.erase(identity);
    return nullptr;
  }
  bytes_ += text.size();
  if (bytes_ > limits.pack_bytes)
    give_up(from, fmt::format("the files that are loaded together have more than {} bytes", limits.pack_bytes));
  auto source = std::make_shared<Source>(shown(path), std::move(text));
  std::vector<Diagnostic> mistakes;
  slot = std::make_unique<LoadedFile>(LoadedFile{path, identity, parse_file(source, mistakes)});
  if (of_pack)
    if (auto newer = language::needs_newer_language(slot->tree)) mistakes = {std::move(*newer)};
  diagnostics_.insert(diagnostics_.end(), mistakes.begin(), mistakes.end());
  if (!of_pack) language::refuse_packs(slot->tree, diagnostics_);
  return slot.get();
}

std::optional<Contents> Loader::contents(const Unit& unit, const Label& from) {
  Contents out;
  if (!unit.folder) {
    auto* loaded = file(unit.path, from);
    if (!loaded) return {};
    out.files.push_back(loaded);
    return out;
  }
  // pack.rule comes first: a pack in a newer language is not looked at further.
  auto* first = file(unit.path / pack_file_name, from, /*of_pack=*/true);
  if (!first || language::needs_newer_language(first->tree)) return {};
  out.pack = language::check_pack(first->tree, diagnostics_);
  out.files.push_back(first);
  auto paths = rule_files(unit.path, from);
  if (!paths) return {};
  bool readable = true;
  for (auto& path : *paths) {
    auto* loaded = file(path, from);
    readable = readable && loaded;
    if (loaded && std::find(out.files.begin(), out.files.end(), loaded) == out.files.end()) out.files.push_back(loaded);
  }
  if (!readable) return {};  // what is missing would be missed in the others
  return out;
}

// All but pack.rule itself, also from nested folders, unless these are packs; hidden ones are left out.
std::optional<std::vector<fs::path>> Loader::rule_files(const fs::path& folder, const Label& from) {
  std::vector<fs::path> out, open{folder};
  std::set<std::string> seen;  // links may lead in a circle
  while (!open.empty()) {
    auto here = std::move(open.back());
    open.pop_back();
    if (!seen.insert(reader_.identity(here)).second) continue;
    std::vector<FileReader::Entry> entries;
    try {
      entries = reader_.list(here, limits.pack_entries + 1 - entries_);
    } catch (const Error& error) {
      report_unreadable(error, from);
      return {};
    }
    entries_ += entries.size();
    if (entries_ > limits.pack_entries)
      give_up(from, fmt::format("the folders of packs hold more than {} files and folders", limits.pack_entries));
    bool is_pack = std::any_of(entries.begin(), entries.end(), [](auto& each) { return each.name == pack_file_name; });
    if (is_pack && here != folder) continue;
    for (auto& entry : entries) {
      if (entry.name.starts_with('.') || entry.name == pack_file_name) continue;
      auto path = here / entry.name;
      if (entry.kind == Kind::folder) {
        open.push_back(path);
      } else if (path.extension() == ".rule") {
        if (entry.kind != Kind::file) {
          report(Code::bad_pack, from, fmt::format("'{}' cannot be read: it is no regular file", shown(path)),
                 "a pack's rule files are files in its folder");
          return {};
        }
        out.push_back(path);
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
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
    definitions = std::make_shared<const Definitions>(language::exported(check(found->files, nullptr)));
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
    trees.push_back(&each->tree);
    for (auto& item : each->tree.items)
      if (auto* written = std::get_if<syntax::Import>(&item.node))
        surroundings.imports.emplace(written, import(*written, *each));
  }
  return language::check(trees, surroundings, diagnostics_);
}

void Loader::join(Definitions& all, const Definitions& pack) {
  auto add = [&](auto& into, auto& more) {
    for (auto& [name, definition] : more) {
      auto [found, fresh] = into.emplace(name, definition);
      if (fresh) continue;
      auto &first = language::place_of(found->second), &second = language::place_of(definition);
      report(Code::duplicate_name, {second.source, second.span, ""}, fmt::format("two of the packs define `{}`", name),
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

DefinitionsPointer Loader::import(const syntax::Import& written, const LoadedFile& importer) {
  Label where{importer.tree.source, written.path.span, ""};
  auto leads = imported_unit(written, importer, where);
  if (!leads) return nullptr;
  for (std::size_t i = 0; i < open_.size(); ++i)
    if (open_[i].unit.identity == leads->identity) {
      report_circle(i, where);
      return nullptr;
    }
  if (open_.size() > limits.import_depth && !units_.contains(leads->identity)) {
    report(Code::too_deep, where, fmt::format("imports lead to imports more than {} deep", limits.import_depth),
           "import what is needed where it is needed");
    return nullptr;
  }
  return unit(*leads, where);
}

std::optional<Unit> Loader::imported_unit(const syntax::Import& written, const LoadedFile& importer,
                                          const Label& where) {
  constexpr std::size_t longest = 4096;  // bytes of a path
  fs::path path = written.path.value;
  if (path.empty() || written.path.value.size() > longest || path.is_absolute()) {
    report(Code::bad_import, where,
           path.empty()         ? "the import names nothing"
           : path.is_absolute() ? "an import's path begins at its file, not at `/`"
                                : fmt::format("the path has more than {} bytes", longest),
           "name a pack's folder or a .rule file from here: `import \"../acme\" as acme`");
    return {};
  }
  path = importer.path.parent_path() / path;
  // The shorter way is shown where it leads to the same place, which links may prevent.
  if (auto tidy = path.lexically_normal(); reader_.identity(tidy) == reader_.identity(path)) path = tidy;
  auto refuse = [&](const char* why, std::string help) -> std::optional<Unit> {
    auto& diagnostic = report(Code::bad_import, where,
                              fmt::format("cannot import '{}': {}", shown(written.path.value), why), std::move(help));
    if (path != written.path.value) diagnostic.note = fmt::format("from here that is '{}'", shown(path));
    return {};
  };
  auto kind = reader_.kind(path);
  if (kind == Kind::missing) {
    auto with_ending = written.path.value + ".rule";
    bool forgotten = reader_.kind(importer.path.parent_path() / with_ending) == Kind::file;
    return refuse("no such file or folder", forgotten ? fmt::format("did you mean `\"{}\"`?", with_ending)
                                                      : "the path begins at the folder of this file");
  }
  if (kind == Kind::other) return refuse("it is neither a file nor a folder that can be read", "name a .rule file");
  if (kind == Kind::file && path.filename() == pack_file_name) {
    path = path.parent_path().empty() ? fs::path(".") : path.parent_path();
    kind = Kind::folder;
  }
  if (kind == Kind::folder) {
    if (reader_.kind(path / pack_file_name) != Kind::file)
      return refuse("the folder has no pack.rule",
                    fmt::format("name one of its .rule files, or give it a pack.rule: `{}`", pack_example));
    return Unit{path, reader_.identity(path), true};
  }
  if (path.extension() != ".rule") return refuse("it is no .rule file", "the names of rule files end in `.rule`");
  auto identity = reader_.identity(path);
  if (open_.back().unit.folder && open_.back().files.contains(identity))
    return refuse("it belongs to this pack", "the files of a pack share one scope: leave the import out");
  return Unit{path, identity, false};
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
    names.push_back(fmt::format("'{}'", shown(open_[i].unit.path)));
    if (i > first) steps.push_back({open_[i].import.source, open_[i].import.span, ""});
  }
  names.push_back(names.front());
  auto& diagnostic =
      report(Code::import_cycle, where, fmt::format("imports lead in a circle: {}", fmt::join(names, " imports ")),
             "move what both need into a file that imports neither");
  diagnostic.others = std::move(steps);
}

// ----------------------------------------------------------------------------------------------------------- messages

Diagnostic& Loader::report(Code code, const Label& where, std::string message, std::string help) {
  diagnostics_.push_back({.code = code, .message = std::move(message), .primary = where, .help = std::move(help)});
  return diagnostics_.back();
}

void Loader::report_unreadable(const Error& error, const Label& from) {
  for (auto each : error.diagnostics()) {
    if (from.source && each.code == Code::unreadable_file) each.code = Code::bad_import;
    each.primary = from;
    diagnostics_.push_back(std::move(each));
  }
}

void Loader::give_up(const Label& from, std::string message) const {
  throw Error({.code = Code::too_large,
               .message = std::move(message),
               .primary = from,
               .help = "load less at a time: one pack, with what it imports"});
}

}  // namespace

Loaded load_files(const std::vector<fs::path>& paths, const FileReader& reader, const Definitions& standard) {
  return Loader(reader, standard).load(paths);
}

Loaded load_texts(const std::vector<SourcePointer>& sources, const Definitions* standard) {
  std::vector<Diagnostic> diagnostics;
  std::vector<syntax::File> files;
  std::vector<const syntax::File*> pointers;
  for (auto& source : sources) files.push_back(parse_file(source, diagnostics));
  for (auto& file : files) {
    pointers.push_back(&file);
    language::refuse_packs(file, diagnostics);
    for (auto& item : file.items)
      if (auto* written = std::get_if<syntax::Import>(&item.node))
        diagnostics.push_back({.code = Code::bad_import,
                               .message = "a text lies in no folder: its imports lead nowhere",
                               .primary = {file.source, written->path.span, ""},
                               .help = "write it into a file and load that"});
  }
  auto definitions = language::check(pointers, {standard}, diagnostics);
  if (has_errors(diagnostics)) throw Error(std::move(diagnostics));
  return {std::make_shared<const Definitions>(std::move(definitions)), std::move(diagnostics), "", ""};
}

}  // namespace ascribe
