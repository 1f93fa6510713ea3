#include "interpreter/server/answers.hpp"

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/server/answering.hpp"

namespace ascribe::server {

About about(const Asked& asked) {
  auto uri = asked.parameters.at("textDocument").at("uri").get<std::string>();
  auto place = asked.workspace.place(uri);
  if (!place.page) throw Refusal{invalid_parameters, "the document is not open: " + uri};
  Lines lines(place.page->source->text(), asked.client.encoding);
  return {asked.workspace.document(uri), std::move(place), std::move(lines), uri};
}

std::size_t offset_in(const Asked& asked, const About& in) { return in.lines.offset(asked.parameters.at("position")); }

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

namespace {

constexpr const char* token_types[] = {"keyword", "string",     "number",    "comment",  "operator",
                                       "class",   "function",   "parameter", "variable", "property",
                                       "type",    "enumMember", "namespace"};
constexpr const char* token_modifiers[] = {"declaration", "defaultLibrary", "documentation"};

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
           {{"legend", {{"tokenTypes", token_types}, {"tokenModifiers", token_modifiers}}},
            {"full", true},
            {"range", true}}},
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
    auto words = filled("# {}: {}\n\n{}\n\nThis fails:\n\n```rule\n{}```\n\nThis is right:\n\n```rule\n{}```\n",
                        code_name(page->code), page->title, page->text, page->failing.text, page->mended.text);
    if (auto file = shown_file(filled("explanations/{}.md", code_name(page->code)), words))
      out["codeDescription"] = {{"href", uri_of(*file)}};
  }
  if (diagnostic.code == Code::unused) out["tags"] = Json::array({1});
  auto related = Json::array();
  for (auto& each : diagnostic.others) {
    if (!each.source) continue;
    for (auto& [key, project] : workspace.projects()) {
      auto found = std::find_if(project->own.begin(), project->own.end(),
                                [&](auto& page) { return page->source == each.source; });
      if (found == project->own.end()) continue;
      related.push_back(
          {{"location",
            {{"uri", workspace.uri(**found)}, {"range", Lines(each.source->text(), client.encoding).range(each.span)}}},
           {"message", each.text.empty() ? "related" : each.text}});
      break;
    }
  }
  if (!related.empty()) out["relatedInformation"] = std::move(related);
  return out;
}

}  // namespace ascribe::server
