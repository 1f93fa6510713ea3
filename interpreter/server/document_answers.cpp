// Answers about a whole document: its symbols, colours, hints and links.
#include <algorithm>

#include "interpreter/assist/structure.hpp"
#include "interpreter/assist/types.hpp"
#include "interpreter/server/answering.hpp"

namespace ascribe::server {

using assist::Symbol;

namespace {

int symbol_kind(Symbol::Sort sort) {
  enum {
    module = 2,
    package = 4,
    cls = 5,
    method = 6,
    property = 7,
    field = 8,
    function = 12,
    variable = 13,
    structure = 23,
    event = 24
  };
  switch (sort) {
    case Symbol::Sort::rule:
      return cls;
    case Symbol::Sort::composite:
      return structure;
    case Symbol::Sort::function:
      return function;
    case Symbol::Sort::test:
      return event;
    case Symbol::Sort::pack:
      return package;
    case Symbol::Sort::import:
      return module;
    case Symbol::Sort::let:
      return variable;
    case Symbol::Sort::term:
      return method;
    case Symbol::Sort::parameter:
    case Symbol::Sort::field:
    case Symbol::Sort::quantity:
    case Symbol::Sort::builtin:
    case Symbol::Sort::kind:
    case Symbol::Sort::layer:
    case Symbol::Sort::engine:
    case Symbol::Sort::type:
    case Symbol::Sort::argument:
    case Symbol::Sort::parameter_name:
    case Symbol::Sort::code:
    case Symbol::Sort::standard_pack:
      break;
  }
  return property;
}

Json nested(const assist::Listed& listed, const Lines& lines) {
  Json out{{"name", listed.name},
           {"kind", symbol_kind(listed.sort)},
           {"range", lines.range(listed.span)},
           {"selectionRange", lines.range(listed.name_span)}};
  if (!listed.detail.empty()) out["detail"] = listed.detail;
  if (!listed.inner.empty()) {
    out["children"] = Json::array();
    for (auto& each : listed.inner) out["children"].push_back(nested(each, lines));
  }
  return out;
}

}  // namespace

Json document_symbols(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  for (auto& each : assist::listed_symbols(*in.page())) {
    if (asked.client.nested_symbols)
      out.push_back(nested(each, in.lines));
    else
      out.push_back({{"name", each.name},
                     {"kind", symbol_kind(each.sort)},
                     {"location", {{"uri", in.uri}, {"range", in.lines.range(each.span)}}}});
  }
  return out;
}

Json workspace_symbols(const Asked& asked) {
  auto query = asked.parameters.value("query", "");
  auto out = Json::array();
  std::set<std::string> seen;
  for (auto& [uri, document] : asked.workspace.documents()) {
    auto project = asked.workspace.project(document);
    for (auto& page : project->own) {
      if (!seen.insert(page->identity).second) continue;
      Lines lines(page->source->text(), asked.client.encoding);
      for (auto& each : assist::listed_symbols(*page)) {
        auto matches = [&] {
          std::size_t at = 0;  // its letters in order
          for (auto c : query) {
            at = each.name.find(c, at);
            if (at++ == std::string::npos) return false;
          }
          return true;
        };
        if (matches())
          out.push_back({{"name", each.name},
                         {"kind", symbol_kind(each.sort)},
                         {"location", {{"uri", asked.workspace.uri(*page)}, {"range", lines.range(each.name_span)}}}});
      }
    }
  }
  return out;
}

Json folding_ranges(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  for (auto& each : assist::folds(*in.page())) {
    auto range = in.lines.range(each.span);
    Json fold{{"startLine", range["start"]["line"]}, {"endLine", range["end"]["line"]}};
    if (each.comment) fold["kind"] = "comment";
    out.push_back(std::move(fold));
  }
  return out;
}

Json selection_ranges(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  for (auto& position : asked.parameters.at("positions")) {
    Json range = nullptr;
    auto around = assist::enclosing(*in.page(), in.lines.offset(position));
    for (auto each = around.rbegin(); each != around.rend(); ++each) {
      Json inner{{"range", in.lines.range(*each)}};
      if (!range.is_null()) inner["parent"] = std::move(range);
      range = std::move(inner);
    }
    out.push_back(std::move(range));
  }
  return out;
}

namespace {

int token_type(assist::Coloured::Sort sort) {
  using Sort = assist::Coloured::Sort;
  switch (sort) {
    case Sort::keyword:
      return 0;
    case Sort::string:
      return 1;
    case Sort::number:
      return 2;
    case Sort::comment:
    case Sort::documentation:
      return 3;
    case Sort::operation:
      return 4;
    case Sort::rule:
      return 5;
    case Sort::function:
      return 6;
    case Sort::parameter:
      return 7;
    case Sort::variable:
      return 8;
    case Sort::property:
      return 9;
    case Sort::type:
      return 10;
    case Sort::kind:
      return 11;
    case Sort::pack:
      break;
  }
  return 12;
}

Json tokens_in(const About& in, Span within) {
  auto data = Json::array();
  std::size_t line = 0, character = 0;
  auto text = in.page()->source->text();
  for (auto& each : assist::colours(in.project(), in.page())) {
    if (each.span.end < within.begin || each.span.begin > within.end) continue;
    auto span = each.span;
    // A token is of one line; strings are, unless a backslash stands before the line's end.
    auto shown = text.substr(span.begin, span.end - span.begin);
    shown = shown.substr(0, shown.find_first_of("\r\n"));
    auto position = in.lines.position(span.begin);
    auto at_line = position["line"].get<std::size_t>(), at_character = position["character"].get<std::size_t>();
    int modifiers = (each.defines ? 1 : 0) + (each.of_language ? 2 : 0) +
                    (each.sort == assist::Coloured::Sort::documentation ? 4 : 0);
    data.push_back(at_line - line);
    data.push_back(at_line == line ? at_character - character : at_character);
    data.push_back(in.lines.units(shown));
    data.push_back(token_type(each.sort));
    data.push_back(modifiers);
    line = at_line;
    character = at_character;
  }
  return {{"data", std::move(data)}};
}

}  // namespace

Json semantic_tokens(const Asked& asked) {
  auto in = about(asked);
  return tokens_in(in, {0, in.page()->source->text().size()});
}
Json semantic_tokens_range(const Asked& asked) {
  auto in = about(asked);
  return tokens_in(in, in.lines.span(asked.parameters.at("range")));
}

Json inlay_hints(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  for (auto& each : assist::hints(in.project(), in.page(), in.lines.span(asked.parameters.at("range")))) {
    Json hint{{"position", in.lines.position(each.offset)}, {"label", each.text}, {"kind", each.is_type ? 1 : 2}};
    if (!each.is_type) hint["paddingRight"] = true;
    out.push_back(std::move(hint));
  }
  return out;
}

Json document_links(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  for (auto& each : assist::import_links(in.project(), *in.page()))
    out.push_back({{"range", in.lines.range({each.span.begin + 1, each.span.end - 1})},
                   {"target", uri_of(asked.workspace.options().files->resolve(each.leads))}});
  return out;
}

Json code_lenses(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  if (in.document->path.empty()) return out;
  for (auto& item : in.page()->outline.items) {
    if (item.sort != assist::OutlinedItem::Sort::test || item.name.end < item.name.begin + 2) continue;
    auto name = std::string(in.page()->text({item.name.begin + 1, item.name.end - 1}));
    out.push_back(
        {{"range", in.lines.range(item.head)},
         {"command", {{"title", "run test"}, {"command", "ascribe.runTest"}, {"arguments", {in.uri, name}}}}});
  }
  return out;
}

}  // namespace ascribe::server
