#include "interpreter/assist/structure.hpp"

#include <algorithm>
#include <map>

#include "grammar/filled_text.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/pack/pack_folder.hpp"

namespace ascribe::assist {
namespace {

bool is_empty(Span span) { return span.end <= span.begin; }

std::vector<Listed> listed_lines(const Page& page, const std::vector<Line>& lines) {
  std::vector<Listed> out;
  for (auto& line : lines) {
    bool shown = line.sort == Line::Sort::let || line.sort == Line::Sort::term || line.sort == Line::Sort::modifier ||
                 line.sort == Line::Sort::outcome || line.sort == Line::Sort::field;
    if (!shown || is_empty(line.name)) continue;
    auto sort = line.sort == Line::Sort::term  ? Symbol::Sort::term
                : line.sort == Line::Sort::let ? Symbol::Sort::let
                                               : Symbol::Sort::field;
    out.push_back({std::string(page.text(line.name)), "", sort, line.span, line.name, listed_lines(page, line.lines)});
  }
  return out;
}

bool spans_lines(const Page& page, Span span) { return page.text(span).find('\n') != std::string_view::npos; }

}  // namespace

std::vector<Listed> listed_symbols(const Page& page) {
  std::vector<Listed> out;
  constexpr Symbol::Sort sorts[] = {Symbol::Sort::rule, Symbol::Sort::composite, Symbol::Sort::function,
                                    Symbol::Sort::test, Symbol::Sort::pack,      Symbol::Sort::import};
  for (auto& item : page.outline.items) {
    if (is_empty(item.name)) continue;
    auto name = std::string(page.text(item.name));
    if (item.sort == OutlinedItem::Sort::test && name.size() >= 2) name = name.substr(1, name.size() - 2);
    if (name.empty()) name = "test";
    out.push_back({std::move(name),
                   summary_of(item.documentation),
                   sorts[static_cast<std::size_t>(item.sort)],
                   {item.comment.end > item.comment.begin ? item.comment.begin : item.span.begin, item.span.end},
                   item.name,
                   listed_lines(page, item.lines)});
  }
  return out;
}

std::vector<Fold> folds(const Page& page) {
  std::vector<Fold> out;
  auto add = [&](Span span, bool comment = false) {
    if (spans_lines(page, span)) out.push_back({span, comment});
  };
  auto lines = [&](auto& self, const std::vector<Line>& of) -> void {
    for (auto& line : of) {
      add(line.span);
      self(self, line.lines);
    }
  };
  for (auto& item : page.outline.items) {
    add(item.span);
    lines(lines, item.lines);
  }
  // Comments on lines one below the other, with nothing else on them.
  Span run;
  auto text = page.source->text();
  for (auto& each : page.outline.lexemes) {
    bool follows = each.kind == Lexeme::Kind::comment && !is_empty(run) &&
                   std::count(text.begin() + static_cast<std::ptrdiff_t>(run.end),
                              text.begin() + static_cast<std::ptrdiff_t>(each.span.begin), '\n') == 1;
    if (follows) {
      run.end = each.span.end;
      continue;
    }
    add(run, true);
    run = each.kind == Lexeme::Kind::comment ? each.span : Span{};
  }
  add(run, true);
  return out;
}

std::vector<Span> enclosing(const Page& page, std::size_t offset) {
  auto size = page.source->text().size();
  std::vector<Span> all{{0, size}};
  auto add = [&](Span span) {
    if (!is_empty(span) && holds(span, offset)) all.push_back(span);
  };
  for (auto& item : page.outline.items) {
    if (item.comment.end > item.comment.begin) add({item.comment.begin, item.span.end});
    add(item.span);
    add(item.body);
    auto lines = [&](auto& self, const std::vector<Line>& of) -> void {
      for (auto& line : of) {
        add(line.span);
        add(line.value);
        self(self, line.lines);
      }
    };
    lines(lines, item.lines);
    for (auto& each : item.parameters) add(each.span);
  }
  for (auto& each : page.outline.nodes) add(each);
  for (auto& call : page.outline.calls) {
    add(call.inside);
    for (auto& each : call.arguments) add(each.span);
  }
  for (auto& each : page.outline.lexemes) add(each.span);
  std::sort(all.begin(), all.end(), [](Span a, Span b) { return a.end - a.begin < b.end - b.begin; });
  std::vector<Span> out;
  for (auto& each : all) {
    bool holds_last =
        out.empty() || (each.begin <= out.back().begin && out.back().end <= each.end && !(each == out.back()));
    if (holds_last) out.push_back(each);
  }
  return out;
}

std::vector<Coloured> colours(const Project& project, const PagePointer& page) {
  using Sort = Coloured::Sort;
  std::map<std::size_t, const Mention*> mentions;
  for (auto& each : page->outline.mentions) mentions[each.span.begin] = &each;
  std::vector<Coloured> out;
  for (auto& piece : page->outline.lexemes) {
    Coloured next{piece.span, Sort::operation};
    auto found = mentions.find(piece.span.begin);
    switch (piece.kind) {
      case Lexeme::Kind::word:
        next.sort = found == mentions.end() ? Sort::keyword : Sort::type;
        break;
      case Lexeme::Kind::number:
        next.sort = Sort::number;
        break;
      case Lexeme::Kind::text:
        next.sort = Sort::string;
        break;
      case Lexeme::Kind::comment:
        next.sort = page->text(piece.span).starts_with("##") ? Sort::documentation : Sort::comment;
        break;
      case Lexeme::Kind::mark:
        if (std::string_view("(){}[],;.").find(page->text(piece.span)) != std::string_view::npos) continue;
        break;
      case Lexeme::Kind::name: {
        if (found == mentions.end()) continue;
        auto& mention = *found->second;
        next.defines = mention.use == Use::defined;
        auto symbol = meaning(project, page, mention);
        if (!symbol) continue;
        next.of_language = !symbol->is_written() || symbol->page.starts_with("std/");
        switch (symbol->sort) {
          case Symbol::Sort::rule:
          case Symbol::Sort::composite:
          case Symbol::Sort::engine:
            next.sort = Sort::rule;
            break;
          case Symbol::Sort::function:
          case Symbol::Sort::builtin:
            next.sort = Sort::function;
            break;
          case Symbol::Sort::parameter:
          case Symbol::Sort::argument:
          case Symbol::Sort::parameter_name:
            next.sort = Sort::parameter;
            break;
          case Symbol::Sort::let:
          case Symbol::Sort::quantity:
            next.sort = Sort::variable;
            break;
          case Symbol::Sort::term:
          case Symbol::Sort::field:
            next.sort = Sort::property;
            break;
          case Symbol::Sort::type:
            next.sort = Sort::type;
            break;
          case Symbol::Sort::kind:
          case Symbol::Sort::layer:
          case Symbol::Sort::code:
            next.sort = Sort::kind;
            break;
          case Symbol::Sort::import:
          case Symbol::Sort::pack:
          case Symbol::Sort::standard_pack:
          case Symbol::Sort::test:
            next.sort = Sort::pack;
            break;
        }
        break;
      }
    }
    out.push_back(next);
  }
  return out;
}

std::vector<ImportLink> import_links(const Project& project, const Page& page) {
  std::vector<ImportLink> out;
  for (auto& item : page.outline.items) {
    if (item.sort != OutlinedItem::Sort::import || is_empty(item.path)) continue;
    auto file = project.imports.find(page.identity);
    if (file == project.imports.end()) continue;
    auto found = file->second.find(page.text(item.name));
    if (found == file->second.end() || found->second.empty()) continue;
    // A pack is led to by its pack.rule.
    auto& pages = found->second;
    auto first =
        std::find_if(pages.begin(), pages.end(), [](auto& each) { return each->path.filename() == pack_file_name; });
    out.push_back({item.path, (first == pages.end() ? pages.front() : *first)->path});
  }
  return out;
}

}  // namespace ascribe::assist
