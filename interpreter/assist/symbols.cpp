#include "interpreter/assist/symbols.hpp"

#include <algorithm>

#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::assist {
namespace {

using SymbolSort = Symbol::Sort;
using ItemSort = OutlinedItem::Sort;

SymbolSort sort_of(ItemSort sort) {
  switch (sort) {
    case ItemSort::rule:
      return SymbolSort::rule;
    case ItemSort::composite:
      return SymbolSort::composite;
    case ItemSort::function:
      return SymbolSort::function;
    case ItemSort::test:
      return SymbolSort::test;
    case ItemSort::pack:
      return SymbolSort::pack;
    case ItemSort::import:
      break;
  }
  return SymbolSort::import;
}

Symbol symbol_of(const Page& page, std::size_t item) {
  auto& found = page.outline.items[item];
  return {sort_of(found.sort), std::string(page.text(found.name)), page.identity, found.name, item};
}

bool is_target(ItemSort sort) { return sort == ItemSort::rule || sort == ItemSort::composite; }
bool is_function(ItemSort sort) { return sort == ItemSort::function; }

template <typename Wanted>
std::optional<Symbol> find_item(const Pages& pages, std::string_view name, Wanted wanted) {
  if (name.empty()) return {};
  for (auto& page : pages)
    if (auto found = page->named.find(name); found != page->named.end())
      for (auto i : found->second)
        if (wanted(page->outline.items[i].sort)) return symbol_of(*page, i);
  return {};
}

Symbol of_language(SymbolSort sort, std::string_view name) { return {sort, std::string(name)}; }

// The lines of a rule's or test's body, those of its terms after them.
template <typename Visit>
void visit_lines(const std::vector<Line>& lines, const Visit& visit) {
  for (auto& line : lines) {
    visit(line);
    visit_lines(line.lines, visit);
  }
}

class Meaning {
 public:
  Meaning(const Project& project, const PagePointer& page) : project_(project), page_(page) {}

  std::optional<Symbol> of(const Mention& mention) const {
    auto name = page_->text(mention.span);
    switch (mention.use) {
      case Use::defined:
        return defined(mention);
      case Use::target:
        return target(name, mention.qualifier);
      case Use::function:
        return function(name, mention.qualifier);
      case Use::layer:
        return layer(name);
      case Use::value:
        return value(name, mention.item);
      case Use::member:
        return member(name, mention);
      case Use::pack:
        return pack(name);
      case Use::argument:
        return argument(name, mention);
      case Use::type:
        for (auto& each : language::type_words)
          if (each.word == name) return of_language(SymbolSort::type, name);
        return {};
      case Use::kind:
        if (language::is_kind_word(name) || language::is_module_word(name)) return of_language(SymbolSort::kind, name);
        return {};
      case Use::parameter_name:
        return of_language(SymbolSort::parameter_name, name);
      case Use::field:
        return field(name, mention);
      case Use::code:
        return of_language(SymbolSort::code, name);
    }
    return {};
  }

  std::optional<Symbol> callee(const WrittenCall& call) const {
    auto name = page_->text(call.name);
    return call.use == Use::target  ? target(name, call.qualifier)
           : call.use == Use::layer ? layer(name)
                                    : function(name, call.qualifier);
  }

 private:
  Symbol local(SymbolSort sort, Span span, std::size_t item) const {
    return {sort, std::string(page_->text(span)), page_->identity, span, item};
  }

  std::optional<Symbol> defined(const Mention& mention) const {
    if (mention.item >= page_->outline.items.size()) return {};
    auto& item = page_->outline.items[mention.item];
    if (item.name == mention.span) return symbol_of(*page_, mention.item);
    for (auto& each : item.parameters)
      if (each.name == mention.span) return local(SymbolSort::parameter, mention.span, mention.item);
    std::optional<Symbol> out;
    visit_lines(item.lines, [&](const Line& line) {
      if (line.name == mention.span)
        out = local(line.sort == Line::Sort::term ? SymbolSort::term : SymbolSort::let, mention.span, mention.item);
    });
    return out;
  }

  std::optional<Symbol> pack(std::string_view name) const {
    if (auto found = page_->named.find(name); found != page_->named.end())
      for (auto i : found->second)
        if (page_->outline.items[i].sort == ItemSort::import) return symbol_of(*page_, i);
    if (name == "std") return of_language(SymbolSort::standard_pack, name);
    return {};
  }

  const Pages* behind(Span qualifier) const { return project_.behind(*page_, page_->text(qualifier)); }

  std::optional<Symbol> target(std::string_view name, std::optional<Span> qualifier) const {
    if (qualifier) {
      auto* pages = behind(*qualifier);
      return pages ? find_item(*pages, name, is_target) : std::nullopt;
    }
    if (language::find_engine(name)) return of_language(SymbolSort::engine, name);
    if (auto found = find_item(project_.own, name, is_target)) return found;
    return find_item(standard_pages(), name, is_target);
  }

  std::optional<Symbol> function(std::string_view name, std::optional<Span> qualifier) const {
    if (qualifier) {
      auto* pages = behind(*qualifier);
      return pages ? find_item(*pages, name, is_function) : std::nullopt;
    }
    if (language::find_builtin(name)) return of_language(SymbolSort::builtin, name);
    if (auto found = find_item(project_.own, name, is_function)) return found;
    return find_item(standard_pages(), name, is_function);
  }

  static std::optional<Symbol> layer(std::string_view name) {
    if (language::find_buildable_layer(name)) return of_language(SymbolSort::layer, name);
    return {};
  }

  std::optional<Symbol> value(std::string_view name, std::size_t item) const {
    if (language::is_protected(name)) return of_language(SymbolSort::quantity, name);
    if (auto found = local_name(name, item)) return found;
    if (auto found = function(name, {})) return found;  // a stabilizer
    return pack(name);
  }

  std::optional<Symbol> local_name(std::string_view name, std::size_t item) const {
    if (item >= page_->outline.items.size()) return {};
    auto& around = page_->outline.items[item];
    for (auto& each : around.parameters)
      if (page_->text(each.name) == name) return local(SymbolSort::parameter, each.name, item);
    std::optional<Symbol> out;
    visit_lines(around.lines, [&](const Line& line) {
      bool named = line.sort == Line::Sort::let || line.sort == Line::Sort::term;
      if (!out && named && page_->text(line.name) == name)
        out = local(line.sort == Line::Sort::term ? SymbolSort::term : SymbolSort::let, line.name, item);
    });
    return out;
  }

  std::optional<Symbol> member(std::string_view name, const Mention& mention) const {
    auto before = page_->text(*mention.qualifier);
    if (before == "layer") return of_language(SymbolSort::quantity, std::string("layer.") + std::string(name));
    if (auto found = local_name(before, mention.item); found && found->sort == SymbolSort::term)
      return of_language(SymbolSort::quantity, name);
    return function(name, mention.qualifier);  // a stabilizer
  }

  std::optional<Symbol> field(std::string_view name, const Mention& mention) const {
    return local(name == "x" || name == "R" || name == "y" ? SymbolSort::quantity : SymbolSort::field, mention.span,
                 mention.item);
  }

  std::optional<Symbol> argument(std::string_view name, const Mention& mention) const {
    auto called = callee(page_->outline.calls[mention.call]);
    if (!called) return {};
    if (!called->is_written()) return Symbol{SymbolSort::argument, std::string(name), "", {}, none, called->name};
    auto [page, item] = written(project_, page_, *called);
    if (!item) return {};
    for (auto& each : item->parameters)
      if (page->text(each.name) == name)
        return Symbol{SymbolSort::parameter, std::string(name), page->identity, each.name, called->item};
    return {};
  }

  const Project& project_;
  const PagePointer& page_;
};

}  // namespace

std::string_view word_for(SymbolSort sort) {
  constexpr std::string_view words[] = {
      "rule",  "composite", "function", "test",  "pack",   "import", "parameter", "let",       "term", "field",
      "value", "function",  "kind",     "layer", "engine", "type",   "argument",  "parameter", "code", "pack"};
  return words[static_cast<std::size_t>(sort)];
}

std::optional<Symbol> meaning(const Project& project, const PagePointer& page, const Mention& mention) {
  return Meaning(project, page).of(mention);
}

std::optional<Symbol> symbol_at(const Project& project, const PagePointer& page, std::size_t offset) {
  auto* mention = mention_at(page->outline, offset);
  return mention ? meaning(project, page, *mention) : std::nullopt;
}

std::optional<Symbol> callee(const Project& project, const PagePointer& page, const WrittenCall& call) {
  return Meaning(project, page).callee(call);
}

Written written(const Project& project, const PagePointer& from, const Symbol& symbol) {
  auto at = [&](const PagePointer& page) -> Written {
    return {page, symbol.item < page->outline.items.size() ? &page->outline.items[symbol.item] : nullptr};
  };
  if (!symbol.is_written()) return {};
  if (from && from->identity == symbol.page) return at(from);
  if (auto page = project.page(symbol.page)) return at(page);
  for (auto& page : standard_pages())
    if (page->identity == symbol.page) return at(page);
  for (auto& [file, aliases] : project.imports)
    for (auto& [alias, pages] : aliases)
      for (auto& page : pages)
        if (page->identity == symbol.page) return at(page);
  return {};
}

std::optional<Spot> definition(const Project& project, const PagePointer& from, const Symbol& symbol) {
  auto [page, item] = written(project, from, symbol);
  if (!page) return {};
  return Spot{page, symbol.definition};
}

std::vector<Spot> references(const Project& project, const Symbol& symbol) {
  std::vector<Spot> out;
  for (auto& page : project.own)
    for (auto& mention : page->outline.mentions) {
      auto found = meaning(project, page, mention);
      if (found && *found == symbol) out.push_back({page, mention.span});
    }
  return out;
}

std::vector<Symbol> items_of(const Pages& pages, ItemSort sort) {
  std::vector<Symbol> out;
  for (auto& page : pages)
    for (std::size_t i = 0; i < page->outline.items.size(); ++i)
      if (auto& each = page->outline.items[i]; each.sort == sort && each.name.end > each.name.begin)
        out.push_back(symbol_of(*page, i));
  return out;
}

}  // namespace ascribe::assist
