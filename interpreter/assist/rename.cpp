#include "interpreter/assist/rename.hpp"

#include <algorithm>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/fixes.hpp"
#include "grammar/limits.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::assist {
namespace {

using SymbolSort = Symbol::Sort;

[[noreturn]] void refuse(std::string message, std::string help, Code code = Code::usage) {
  throw Error({.code = code, .message = std::move(message), .help = std::move(help)});
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= limits.name_bytes && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

// A project with the edits made: its own files, as they would be.
std::shared_ptr<Project> after(const Project& project, const std::map<std::string, std::vector<Edit>>& edits,
                               const Symbol& symbol, const std::string& name) {
  auto out = std::make_shared<Project>(project);
  auto redo = [&](PagePointer& page) {
    auto found = edits.find(page->identity);
    if (found == edits.end()) return;
    auto text = edited(page->source->text(), found->second);
    page = make_page(page->path, page->identity, std::make_shared<const Source>(page->source->name(), std::move(text)));
  };
  for (auto& page : out->own) redo(page);
  if (symbol.sort == SymbolSort::import)
    if (auto& aliases = out->imports[symbol.page]; aliases.contains(symbol.name) && !aliases.contains(name)) {
      auto moved_alias = aliases.extract(symbol.name);
      moved_alias.key() = name;
      aliases.insert(std::move(moved_alias));
    }
  return out;
}

// Where an offset lies when the edits are made; they are in order.
std::size_t moved(std::size_t offset, const std::vector<Edit>& edits) {
  auto out = offset;
  for (auto& each : edits)
    if (each.span.end <= offset) out = out + each.text.size() - (each.span.end - each.span.begin);
  return out;
}

}  // namespace

Renameable renameable(const Project& project, const PagePointer& page, std::size_t offset) {
  auto* mention = mention_at(page->outline, offset);
  auto symbol = mention ? meaning(project, page, *mention) : std::nullopt;
  if (!symbol) refuse("there is no name here that could be another one", "place the cursor on a name");
  if (!symbol->is_written())
    refuse(filled("`{}` is a word of the language's", symbol->name), "name what is defined in a file");
  if (!project.page(symbol->page))
    refuse(filled("`{}` is defined in another pack", symbol->name), "rename it there, where its files are open");
  if (symbol->sort == SymbolSort::test || symbol->sort == SymbolSort::pack || symbol->sort == SymbolSort::quantity ||
      symbol->sort == SymbolSort::field)
    refuse(filled("`{}` is no name that others refer to", symbol->name), "write it anew");
  return {*symbol, mention->span};
}

std::map<std::string, std::vector<Edit>> rename(const Project& project, const PagePointer& page, std::size_t offset,
                                                const std::string& name) {
  auto [symbol, span] = renameable(project, page, offset);
  if (!is_name(name)) refuse(filled("`{}` is no name", name), "letters, digits and `_`, with no digit in front");
  if (is_reserved(name))
    refuse(filled("`{}` is a word of the language's", name), "choose another name", Code::reserved_name);
  bool function = symbol.sort == SymbolSort::function;
  bool target = symbol.sort == SymbolSort::rule || symbol.sort == SymbolSort::composite;
  bool import = symbol.sort == SymbolSort::import;
  bool item = function || target || import;
  if (language::is_protected(name) || (item && (name == "std" || language::find_engine(name))) ||
      ((function || import) && language::find_builtin(name)))
    refuse(filled("`{}` means something already and cannot be redefined", name), "choose another name",
           Code::protected_name);
  if ((function || target) && project.pack && language::is_private(name) != language::is_private(symbol.name))
    refuse(filled("`{}` would {} its pack", name, language::is_private(name) ? "stay inside" : "be seen outside of"),
           "names that begin with `_` are for the pack's own files: keep it as it is");
  std::map<std::string, std::vector<Edit>> edits;
  if (name == symbol.name) return edits;
  auto before = references(project, symbol);
  for (auto& each : before) edits[each.page->identity].push_back({each.span, name});

  // Every name of the changed text has to mean what it meant: what was renamed the renamed, and all else the same.
  auto changed = after(project, edits, symbol, name);
  const std::vector<Edit> nothing;
  for (std::size_t p = 0; p < project.own.size(); ++p) {
    auto& was = project.own[p];
    auto& is = changed->own[p];
    if (was->outline.mentions.size() != is->outline.mentions.size())
      refuse(filled("with `{}` the text would read otherwise", name), "choose another name");
    for (std::size_t i = 0; i < was->outline.mentions.size(); ++i) {
      auto old = meaning(project, was, was->outline.mentions[i]);
      auto now = meaning(*changed, is, is->outline.mentions[i]);
      auto place = was->source->position(was->outline.mentions[i].span.begin);
      auto clash = [&](std::string_view what) {
        refuse(filled("`{}` is taken: at {}:{}:{} it would mean {}", name, was->source->name(), place.line,
                      place.column, what),
               "choose another name", Code::duplicate_name);
      };
      if (!old && !now) continue;
      if (!old) clash("what has no meaning now");
      if (!now) clash("nothing");
      auto wanted = *old;
      if (old->is_written() && project.page(old->page)) {
        auto of_page = edits.find(old->page);
        auto& there = of_page == edits.end() ? nothing : of_page->second;
        bool itself = *old == symbol;
        auto begin = moved(old->definition.begin, there);
        wanted.definition = {begin, begin + (itself ? name.size() : old->definition.end - old->definition.begin)};
        if (itself) wanted.name = name;
      }
      if (!(wanted == *now)) clash(filled("another {}", word_for(now->sort)));
    }
    // A name that nothing mentions can still be there twice.
    for (auto& other : is->outline.mentions) {
      if (other.use != Use::defined || is->text(other.span) != name) continue;
      auto defined = meaning(*changed, is, other);
      if (!defined) continue;
      bool is_target = defined->sort == SymbolSort::rule || defined->sort == SymbolSort::composite;
      bool shared = target     ? is_target
                    : function ? defined->sort == SymbolSort::function
                    : import   ? defined->sort == SymbolSort::import
                               : defined->item == symbol.item && defined->page == symbol.page &&
                                   (defined->sort == SymbolSort::parameter || defined->sort == SymbolSort::let ||
                                    defined->sort == SymbolSort::term);
      auto of_page = edits.find(symbol.page);
      auto& there = of_page == edits.end() ? nothing : of_page->second;
      bool itself = defined->page == symbol.page && defined->definition.begin == moved(symbol.definition.begin, there);
      if (import && defined->page != symbol.page) continue;
      if (shared && !itself)
        refuse(filled("`{}` is taken: there is a {} of that name", name, word_for(defined->sort)),
               "choose another name", Code::duplicate_name);
    }
  }
  return edits;
}

}  // namespace ascribe::assist
