#include "interpreter/assist/project.hpp"

#include <algorithm>

#include "grammar/fixes.hpp"
#include "grammar/parser.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/pack/import_path.hpp"
#include "interpreter/pack/pack_folder.hpp"
#include "interpreter/pack/standard_pack_files.hpp"

namespace ascribe::assist {

namespace fs = std::filesystem;

PagePointer make_page(fs::path path, std::string identity, SourcePointer source) {
  auto out = std::make_shared<Page>(Page{std::move(path), std::move(identity), source, outline(source->text())});
  for (std::size_t i = 0; i < out->outline.items.size(); ++i)
    out->named[out->text(out->outline.items[i].name)].push_back(i);
  return out;
}

const Pages& standard_pages() {
  static const auto pages = [] {
    Pages out;
    for (auto& file : standard_pack_files())
      out.push_back(make_page({}, std::string(file.name),
                              std::make_shared<Source>(std::string(file.name), std::string(file.text))));
    return out;
  }();
  return pages;
}

PagePointer Project::page(std::string_view identity) const {
  auto found = std::find_if(own.begin(), own.end(), [&](auto& each) { return each->identity == identity; });
  return found == own.end() ? nullptr : *found;
}

const Pages* Project::behind(const Page& page, std::string_view alias) const {
  if (auto file = imports.find(page.identity); file != imports.end())
    if (auto found = file->second.find(alias); found != file->second.end()) return &found->second;
  return alias == "std" ? &standard_pages() : nullptr;
}

std::vector<std::string> Project::aliases(const Page& page) const {
  std::vector<std::string> out{"std"};
  if (auto file = imports.find(page.identity); file != imports.end())
    for (auto& [alias, pages] : file->second) out.push_back(alias);
  return out;
}

namespace {

// The folder of the pack that a file is a part of, or the file.
fs::path root_of(const fs::path& file, const LoadOptions& options) try {
  Reading reading(options);
  auto real = reading.resolve(file);
  if (real.filename() == pack_file_name) return real.parent_path();
  auto folder = pack_around(reading, real);
  if (!folder) return file;
  auto files = files_of_pack(reading, *folder);
  bool part = std::any_of(files.begin(), files.end(), [&](auto& each) { return reading.resolve(each.path) == real; });
  return part ? *folder : file;
} catch (const Error&) {
  return file;
}

// Where an unknown pack can be imported from, the import is a fix.
void add_import_fixes(Project& project, const LoadOptions& options) {
  Reading reading(options);
  for (auto& each : project.diagnostics) {
    constexpr std::string_view unknown = "unknown pack `";
    if (!each.message.starts_with(unknown) || !each.primary.source) continue;
    auto page = std::find_if(project.own.begin(), project.own.end(),
                             [&](auto& own) { return own->source == each.primary.source; });
    if (page == project.own.end() || (*page)->path.empty()) continue;
    auto name = each.message.substr(unknown.size());
    name = name.substr(0, name.find('`'));
    for (auto& written : {name, "../" + name, "./" + name + ".rule"}) try {
        auto leads = find_import(reading, written, (*page)->path);
        refuse_ways_around(reading, written, (*page)->path, leads);
        auto line = "import \"" + written + "\" as " + name;
        auto& items = (*page)->outline.items;
        auto& first = items.front();
        auto at = first.comment.end > first.comment.begin ? first.comment.begin : first.span.begin;
        each.fixes.push_back({"add `" + line + "`", {{{at, at}, line + "\n"}}});
        break;
      } catch (const Error&) {
        // There is nothing of that name.
      }
  }
}

}  // namespace

ProjectPointer load_project(const fs::path& file, const LoadOptions& options) {
  auto found = survey(root_of(file, options), options, Inside::definitions(Pack::standard()));
  auto out = std::make_shared<Project>();
  Pages pages;
  for (auto& each : found.files) pages.push_back(make_page(each.path, each.identity, each.tree->source));
  auto pages_of = [&](const SurveyedUnit& unit) {
    Pages of_unit;
    for (auto each : unit.files) of_unit.push_back(pages[each]);
    return of_unit;
  };
  auto root = found.units.find(found.root);
  if (root != found.units.end()) {
    out->own = pages_of(root->second);
    out->definitions = root->second.definitions;
    out->pack = root->second.folder;
    out->name = root->second.name;
  } else {
    out->own = pages;  // what could be read before something could not
  }
  for (auto& each : found.imports) {
    auto leads = found.units.find(each.leads);
    out->imports[pages[each.file]->identity][each.alias] =
        leads == found.units.end() ? Pages{} : pages_of(leads->second);
  }
  for (auto& [identity, unit] : found.units)
    if (identity != found.root)
      for (auto each : unit.files) out->others[pages[each]->identity] = unit.definitions;
  for (auto& each : found.files) out->files.push_back(each.identity);
  std::sort(out->files.begin(), out->files.end());
  out->diagnostics = std::move(found.diagnostics);
  cut(out->diagnostics);
  add_import_fixes(*out, options);
  return out;
}

ProjectPointer text_project(std::string name, std::string text) {
  auto out = std::make_shared<Project>();
  auto source = std::make_shared<const Source>(name, std::move(text));
  auto tree = parse_file(source, out->diagnostics);
  auto& standard = Inside::definitions(Pack::standard());
  out->definitions =
      std::make_shared<const language::Definitions>(language::check({&tree}, {&standard}, out->diagnostics));
  out->files = {name};
  out->own = {make_page({}, std::move(name), source)};
  cut(out->diagnostics);
  add_fixes(out->diagnostics);
  return out;
}

}  // namespace ascribe::assist
