#include "interpreter/server/answers.hpp"

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/formatter.hpp"
#include "interpreter/assist/completion.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/assist/rename.hpp"
#include "interpreter/assist/structure.hpp"
#include "interpreter/assist/types.hpp"

namespace ascribe::server {
namespace {

using assist::Symbol;

// What a request about a document is about.
struct About {
  const Document* document;
  Workspace::Place place;
  Lines lines;
  std::string uri;

  const assist::PagePointer& page() const { return place.page; }
  const assist::Project& project() const { return *place.project; }
};

About about(const Asked& asked) {
  auto uri = asked.parameters.at("textDocument").at("uri").get<std::string>();
  auto place = asked.workspace.place(uri);
  if (!place.page) throw Refusal{invalid_parameters, "the document is not open: " + uri};
  Lines lines(place.page->source->text(), asked.client.encoding);
  return {asked.workspace.document(uri), std::move(place), std::move(lines), uri};
}

std::size_t offset_in(const Asked& asked, const About& in) { return in.lines.offset(asked.parameters.at("position")); }

Json markdown(std::string text) { return {{"kind", "markdown"}, {"value", std::move(text)}}; }

Json location(const Asked& asked, const assist::Spot& spot) {
  auto uri = asked.workspace.uri(*spot.page);
  if (uri.empty()) return nullptr;
  return {{"uri", uri}, {"range", Lines(spot.page->source->text(), asked.client.encoding).range(spot.span)}};
}

Json edits(const std::vector<Edit>& made, const Lines& lines) {
  auto out = Json::array();
  for (auto& each : made) out.push_back({{"range", lines.range(each.span)}, {"newText", each.text}});
  return out;
}

// The edits of a document, for its version where the client tells versions apart.
Json workspace_edit(const Asked& asked, const std::map<std::string, Json>& by_uri) {
  Json out = Json::object();
  if (asked.client.document_changes) {
    out["documentChanges"] = Json::array();
    for (auto& [uri, each] : by_uri) {
      auto* open = asked.workspace.document(uri);
      Json version = nullptr;
      if (open) version = open->version;
      out["documentChanges"].push_back({{"textDocument", {{"uri", uri}, {"version", version}}}, {"edits", each}});
    }
  } else {
    out["changes"] = Json::object();
    for (auto& [uri, each] : by_uri) out["changes"][uri] = each;
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------- at a place

int completion_kind(const assist::Offer& offer) {
  enum { text = 1, function = 3, field = 5, variable = 6, cls = 7, module = 9, property = 10, unit = 11, value = 12, keyword = 14, file = 17, constant = 21, type = 25 };
  if (offer.sort == assist::Offer::Sort::word) return keyword;
  if (offer.sort == assist::Offer::Sort::file) return file;
  if (offer.sort == assist::Offer::Sort::argument) return property;
  if (!offer.symbol) return offer.sort == assist::Offer::Sort::label ? text : constant;
  switch (offer.symbol->sort) {
    case Symbol::Sort::rule:
    case Symbol::Sort::composite: return cls;
    case Symbol::Sort::function:
    case Symbol::Sort::builtin: return function;
    case Symbol::Sort::parameter:
    case Symbol::Sort::let:
    case Symbol::Sort::quantity: return variable;
    case Symbol::Sort::term: return field;
    case Symbol::Sort::import:
    case Symbol::Sort::pack:
    case Symbol::Sort::standard_pack: return module;
    case Symbol::Sort::type: return type;
    case Symbol::Sort::kind:
    case Symbol::Sort::layer: return unit;
    case Symbol::Sort::engine: return keyword;
    case Symbol::Sort::test:
    case Symbol::Sort::field:
    case Symbol::Sort::argument:
    case Symbol::Sort::parameter_name:
    case Symbol::Sort::code: break;
  }
  return value;
}

Json completion(const Asked& asked) {
  auto in = about(asked);
  auto offset = offset_in(asked, in);
  auto found = assist::complete(in.project(), in.page(), offset, &asked.workspace.options());
  auto items = Json::array();
  auto range = in.lines.range(found.replaces);
  for (auto& each : found.offers) {
    Json item{{"label", each.text},
              {"kind", completion_kind(each)},
              {"sortText", filled("{}{}", each.rank, each.text)},
              {"textEdit", {{"range", range}, {"newText", each.text}}}};
    if (!each.detail.empty()) item["detail"] = each.detail;
    if (!each.others.empty()) item["additionalTextEdits"] = edits(each.others, in.lines);
    if (each.symbol) item["data"] = {{"uri", in.uri}, {"offset", offset}};
    items.push_back(std::move(item));
  }
  return {{"isIncomplete", false}, {"items", std::move(items)}};
}

// The words about what was offered, when they are asked for.
Json resolved_completion(const Asked& asked) {
  auto out = asked.parameters;
  if (!out.is_object() || !out.contains("data") || !out["data"].is_object()) return out;
  auto uri = out["data"].at("uri").get<std::string>();
  auto place = asked.workspace.place(uri);
  if (!place.page) return out;
  auto offset = out["data"].at("offset").get<std::size_t>();
  auto label = out.at("label").get<std::string>();
  for (auto& each : assist::complete(*place.project, place.page, offset, &asked.workspace.options()).offers)
    if (each.text == label && each.symbol) {
      auto text = assist::about(*place.project, place.page, *each.symbol);
      if (!text.empty()) out["documentation"] = markdown(std::move(text));
      break;
    }
  return out;
}

Json hover(const Asked& asked) {
  auto in = about(asked);
  auto found = assist::hover(in.project(), in.page(), offset_in(asked, in));
  if (!found) return nullptr;
  return {{"contents", markdown(found->text)}, {"range", in.lines.range(found->span)}};
}

Json signature_help(const Asked& asked) {
  auto in = about(asked);
  auto found = assist::signature_help(in.project(), in.page(), offset_in(asked, in));
  if (!found) return nullptr;
  auto parameters = Json::array();
  Lines label(found->label, Encoding::utf16);  // in labels, always
  for (auto& each : found->parameters)
    parameters.push_back({{"label", {label.units(std::string_view(found->label).substr(0, each.begin)),
                                     label.units(std::string_view(found->label).substr(0, each.end))}}});
  Json signature{{"label", found->label}, {"parameters", parameters}};
  if (!found->documentation.empty()) signature["documentation"] = markdown(found->documentation);
  Json out{{"signatures", Json::array({signature})}, {"activeSignature", 0}};
  // Behind the last: none is shown as the active one.
  out["activeParameter"] = found->active == assist::none ? found->parameters.size() : found->active;
  return out;
}

Json definition(const Asked& asked) {
  auto in = about(asked);
  auto offset = offset_in(asked, in);
  for (auto& each : assist::import_links(in.project(), *in.page()))
    if (assist::holds(each.span, offset))
      return {{"uri", uri_of(asked.workspace.options().files->resolve(each.leads))}, {"range", Lines("", asked.client.encoding).range({})}};
  auto symbol = assist::symbol_at(in.project(), in.page(), offset);
  auto spot = symbol ? assist::definition(in.project(), in.page(), *symbol) : std::nullopt;
  return spot ? location(asked, *spot) : Json(nullptr);
}

Json references(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  auto symbol = assist::symbol_at(in.project(), in.page(), offset_in(asked, in));
  if (!symbol) return out;
  bool with_definition = asked.parameters.value("/context/includeDeclaration"_json_pointer, true);
  for (auto& each : assist::references(in.project(), *symbol)) {
    bool itself = each.page->identity == symbol->page && each.span == symbol->definition;
    if (!itself || with_definition) out.push_back(location(asked, each));
  }
  return out;
}

Json highlights(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  auto symbol = assist::symbol_at(in.project(), in.page(), offset_in(asked, in));
  if (!symbol) return out;
  for (auto& each : assist::references(in.project(), *symbol)) {
    if (each.page != in.page()) continue;
    bool itself = each.page->identity == symbol->page && each.span == symbol->definition;
    out.push_back({{"range", in.lines.range(each.span)}, {"kind", itself ? 3 : 2}});
  }
  return out;
}

Json prepare_rename(const Asked& asked) {
  auto in = about(asked);
  try {
    auto found = assist::renameable(in.project(), in.page(), offset_in(asked, in));
    return {{"range", in.lines.range(found.span)}, {"placeholder", found.symbol.name}};
  } catch (const Error& error) {
    throw Refusal{request_failed, error.diagnostics().front().message};
  }
}

Json rename(const Asked& asked) {
  auto in = about(asked);
  auto name = asked.parameters.at("newName").get<std::string>();
  try {
    std::map<std::string, Json> out;
    for (auto& [identity, made] : assist::rename(in.project(), in.page(), offset_in(asked, in), name)) {
      auto page = in.project().page(identity);
      out[asked.workspace.uri(*page)] = edits(made, Lines(page->source->text(), asked.client.encoding));
    }
    return workspace_edit(asked, out);
  } catch (const Error& error) {
    auto& first = error.diagnostics().front();
    throw Refusal{request_failed, first.message};
  }
}

// ---------------------------------------------------------------------------------------------- the whole document

int symbol_kind(Symbol::Sort sort) {
  enum { module = 2, package = 4, cls = 5, method = 6, property = 7, field = 8, function = 12, variable = 13, structure = 23, event = 24 };
  switch (sort) {
    case Symbol::Sort::rule: return cls;
    case Symbol::Sort::composite: return structure;
    case Symbol::Sort::function: return function;
    case Symbol::Sort::test: return event;
    case Symbol::Sort::pack: return package;
    case Symbol::Sort::import: return module;
    case Symbol::Sort::let: return variable;
    case Symbol::Sort::term: return method;
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
    case Symbol::Sort::standard_pack: break;
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

constexpr const char* token_types[] = {"keyword", "string",   "number",   "comment",   "operator", "class",  "function",
                                       "parameter", "variable", "property", "type", "enumMember", "namespace"};
constexpr const char* token_modifiers[] = {"declaration", "defaultLibrary", "documentation"};

int token_type(assist::Coloured::Sort sort) {
  using Sort = assist::Coloured::Sort;
  switch (sort) {
    case Sort::keyword: return 0;
    case Sort::string: return 1;
    case Sort::number: return 2;
    case Sort::comment:
    case Sort::documentation: return 3;
    case Sort::operation: return 4;
    case Sort::rule: return 5;
    case Sort::function: return 6;
    case Sort::parameter: return 7;
    case Sort::variable: return 8;
    case Sort::property: return 9;
    case Sort::type: return 10;
    case Sort::kind: return 11;
    case Sort::pack: break;
  }
  return 12;
}

Json tokens_in(const Asked& asked, const About& in, Span within) {
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
  (void)asked;
  return {{"data", std::move(data)}};
}

Json semantic_tokens(const Asked& asked) {
  auto in = about(asked);
  return tokens_in(asked, in, {0, in.page()->source->text().size()});
}
Json semantic_tokens_range(const Asked& asked) {
  auto in = about(asked);
  return tokens_in(asked, in, in.lines.span(asked.parameters.at("range")));
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
    out.push_back({{"range", in.lines.range(item.head)},
                   {"command", {{"title", "run test"}, {"command", "ascribe.runTest"}, {"arguments", {in.uri, name}}}}});
  }
  return out;
}

// ------------------------------------------------------------------------------------------------------- changes

std::string canonical(const About& in) {
  std::vector<Diagnostic> mistakes;
  auto out = format_source(in.page()->source, mistakes);
  if (!out)
    throw Refusal{request_failed, mistakes.empty() ? "the text cannot be formatted" : mistakes.front().message};
  return *out;
}

// What changes, without what is the same before and behind it.
std::vector<Edit> shortest(std::string_view before, std::string_view after, std::size_t from = 0) {
  if (before == after) return {};
  auto begin = static_cast<std::size_t>(std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first - before.begin());
  while (begin > 0 && (static_cast<unsigned char>(before[begin - 1]) >= 0x80 || before[begin - 1] == '\r')) --begin;
  auto b = before.substr(begin), a = after.substr(begin);
  auto same = static_cast<std::size_t>(std::mismatch(b.rbegin(), b.rend(), a.rbegin(), a.rend()).first - b.rbegin());
  while (same > 0 && (static_cast<unsigned char>(b[b.size() - same]) >= 0x80 || b[b.size() - same] == '\n')) --same;
  return {{{from + begin, from + before.size() - same}, std::string(a.substr(0, a.size() - same))}};
}

Json formatting(const Asked& asked) {
  auto in = about(asked);
  return edits(shortest(in.page()->source->text(), canonical(in)), in.lines);
}

// The definitions that the range touches, as they are in the canonical text.
Json range_formatting(const Asked& asked) {
  auto in = about(asked);
  auto within = in.lines.span(asked.parameters.at("range"));
  auto text = canonical(in);
  auto formed = assist::outline(text);
  auto& items = in.page()->outline.items;
  std::vector<Edit> out;
  if (formed.items.size() != items.size()) throw Refusal{request_failed, "the text cannot be formatted in parts"};
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto whole = [](const assist::OutlinedItem& each) {
      return Span{each.comment.end > each.comment.begin ? each.comment.begin : each.span.begin, each.span.end};
    };
    auto old = whole(items[i]), now = whole(formed.items[i]);
    if (old.end < within.begin || old.begin > within.end) continue;
    for (auto& each : shortest(in.page()->text(old), std::string_view(text).substr(now.begin, now.end - now.begin), old.begin))
      out.push_back(each);
  }
  return edits(out, in.lines);
}

Json code_actions(const Asked& asked) {
  auto in = about(asked);
  auto within = in.lines.span(asked.parameters.at("range"));
  auto out = Json::array();
  auto wanted = [&](std::string_view kind) {
    auto only = asked.parameters.value("/context/only"_json_pointer, Json::array());
    return only.empty() || std::any_of(only.begin(), only.end(), [&](auto& each) {
             auto word = each.is_string() ? each.template get<std::string>() : "";
             return kind == word || kind.starts_with(word + ".");
           });
  };
  std::vector<Edit> all;
  for (auto* each : diagnostics_of(in.project(), *in.page())) {
    if (each->primary.source != in.page()->source) continue;
    bool here = each->primary.span.begin <= within.end && within.begin <= each->primary.span.end;
    for (auto& fix : each->fixes) {
      if (fix.sure) all.insert(all.end(), fix.edits.begin(), fix.edits.end());
      if (!here || !wanted("quickfix")) continue;
      out.push_back({{"title", fix.title},
                     {"kind", "quickfix"},
                     {"diagnostics", Json::array({diagnostic(*each, in.lines, asked.workspace, asked.client)})},
                     {"isPreferred", fix.sure},
                     {"edit", workspace_edit(asked, {{in.uri, edits(fix.edits, in.lines)}})}});
    }
  }
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.span.begin < b.span.begin; });
  std::vector<Edit> apart;
  for (auto& each : all)
    if (apart.empty() || apart.back().span.end <= each.span.begin) apart.push_back(each);
  if (!apart.empty() && wanted("source.fixAll"))
    out.push_back({{"title", "Mend whatever is sure"},
                   {"kind", "source.fixAll"},
                   {"edit", workspace_edit(asked, {{in.uri, edits(apart, in.lines)}})}});
  return out;
}

constexpr struct {
  std::string_view method;
  Answer answer;
  bool again;
} answers[] = {{"textDocument/completion", completion, false},
               {"completionItem/resolve", resolved_completion, false},
               {"textDocument/hover", hover, false},
               {"textDocument/signatureHelp", signature_help, false},
               {"textDocument/definition", definition, false},
               {"textDocument/references", references, false},
               {"textDocument/documentHighlight", highlights, true},
               {"textDocument/prepareRename", prepare_rename, false},
               {"textDocument/rename", rename, false},
               {"textDocument/documentSymbol", document_symbols, true},
               {"workspace/symbol", workspace_symbols, false},
               {"textDocument/foldingRange", folding_ranges, true},
               {"textDocument/selectionRange", selection_ranges, false},
               {"textDocument/semanticTokens/full", semantic_tokens, true},
               {"textDocument/semanticTokens/range", semantic_tokens_range, true},
               {"textDocument/inlayHint", inlay_hints, true},
               {"textDocument/documentLink", document_links, true},
               {"textDocument/codeLens", code_lenses, true},
               {"textDocument/formatting", formatting, false},
               {"textDocument/rangeFormatting", range_formatting, false},
               {"textDocument/codeAction", code_actions, true}};

}  // namespace

Answer find_answer(std::string_view method) {
  for (auto& each : answers)
    if (each.method == method) return each.answer;
  return nullptr;
}

bool is_asked_again(std::string_view method) {
  for (auto& each : answers)
    if (each.method == method) return each.again;
  return false;
}

Json capabilities(const Client& client) {
  return {{"positionEncoding", client.encoding == Encoding::utf8 ? "utf-8" : "utf-16"},
          {"textDocumentSync", {{"openClose", true}, {"change", 2}, {"save", true}}},
          {"completionProvider", {{"triggerCharacters", {".", "(", ",", "\"", "/", "="}}, {"resolveProvider", true}}},
          {"hoverProvider", true},
          {"signatureHelpProvider", {{"triggerCharacters", {"(", ","}}}},
          {"definitionProvider", true},
          {"referencesProvider", true},
          {"documentHighlightProvider", true},
          {"renameProvider", {{"prepareProvider", true}}},
          {"documentSymbolProvider", true},
          {"workspaceSymbolProvider", true},
          {"foldingRangeProvider", true},
          {"selectionRangeProvider", true},
          {"semanticTokensProvider",
           {{"legend", {{"tokenTypes", token_types}, {"tokenModifiers", token_modifiers}}}, {"full", true}, {"range", true}}},
          {"inlayHintProvider", true},
          {"documentLinkProvider", {{"resolveProvider", false}}},
          {"codeLensProvider", {{"resolveProvider", false}}},
          {"documentFormattingProvider", true},
          {"documentRangeFormattingProvider", true},
          {"codeActionProvider", {{"codeActionKinds", {"quickfix", "source.fixAll"}}}},
          {"executeCommandProvider", {{"commands", {"ascribe.runTest"}}}},
          {"workspace", {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}}}};
}

std::vector<const Diagnostic*> diagnostics_of(const assist::Project& project, const assist::Page& page) {
  std::vector<const Diagnostic*> out;
  bool first = !project.own.empty() && project.own.front()->identity == page.identity;
  for (auto& each : project.diagnostics)
    if (each.primary.source == page.source || (first && !each.primary.source)) out.push_back(&each);
  return out;
}

Json diagnostic(const Diagnostic& diagnostic, const Lines& lines, Workspace& workspace, const Client& client) {
  auto text = diagnostic.message;
  if (!diagnostic.note.empty()) text += "\nnote: " + diagnostic.note;
  if (!diagnostic.help.empty()) text += "\nhelp: " + diagnostic.help;
  auto span = diagnostic.primary.source ? diagnostic.primary.span : Span{};
  Json out{{"range", lines.range(span)},
           {"severity", diagnostic.severity == Severity::error ? 1 : 2},
           {"code", code_name(diagnostic.code)},
           {"source", "ascribe"},
           {"message", text}};
  if (auto* page = find_explanation(diagnostic.code)) {
    auto words = filled("# {}: {}\n\n{}\n\nThis fails:\n\n```rule\n{}```\n\nThis is right:\n\n```rule\n{}```\n", code_name(page->code),
                        page->title, page->text, page->failing.text, page->mended.text);
    if (auto file = shown_file(filled("explanations/{}.md", code_name(page->code)), words))
      out["codeDescription"] = {{"href", uri_of(*file)}};
  }
  if (diagnostic.code == Code::unused) out["tags"] = Json::array({1});
  auto related = Json::array();
  for (auto& each : diagnostic.others) {
    if (!each.source) continue;
    for (auto& [key, project] : workspace.projects()) {
      auto found = std::find_if(project->own.begin(), project->own.end(), [&](auto& page) { return page->source == each.source; });
      if (found == project->own.end()) continue;
      related.push_back({{"location",
                          {{"uri", workspace.uri(**found)}, {"range", Lines(each.source->text(), client.encoding).range(each.span)}}},
                         {"message", each.text.empty() ? "related" : each.text}});
      break;
    }
  }
  if (!related.empty()) out["relatedInformation"] = std::move(related);
  return out;
}

}  // namespace ascribe::server
