#include "grammar/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ascribe {
namespace {

using nlohmann::ordered_json;

void put_place(ordered_json& out, const Label& label) {
  if (!label.source) {
    for (auto* key : {"file", "line", "column", "end_line", "end_column"}) out[key] = nullptr;
    return;
  }
  auto begin = label.source->position(label.span.begin);
  auto end = label.source->position(std::max(label.span.begin, label.span.end));
  out["file"] = label.source->name();
  out["line"] = begin.line;
  out["column"] = begin.column;
  out["end_line"] = end.line;
  out["end_column"] = end.column;
}

}  // namespace

std::string render_json(const std::vector<Diagnostic>& diagnostics) {
  auto list = ordered_json::array();
  std::size_t errors = 0;
  for (auto& diagnostic : diagnostics) {
    bool error = diagnostic.severity == Severity::error;
    errors += error ? 1 : 0;
    ordered_json out{{"code", code_name(diagnostic.code)},
                     {"severity", error ? "error" : "warning"},
                     {"message", diagnostic.message}};
    put_place(out, diagnostic.primary);
    out["note"] = diagnostic.note;
    out["help"] = diagnostic.help;
    out["related"] = ordered_json::array();
    for (auto& label : diagnostic.others) {
      ordered_json related;
      put_place(related, label);
      related["text"] = label.text;
      out["related"].push_back(std::move(related));
    }
    out["fixes"] = ordered_json::array();
    for (auto& fix : diagnostic.fixes) {
      ordered_json mended{{"title", fix.title}, {"sure", fix.sure}, {"edits", ordered_json::array()}};
      for (auto& edit : fix.edits) {
        ordered_json put;
        put_place(put, {diagnostic.primary.source, edit.span, ""});
        put["text"] = edit.text;
        mended["edits"].push_back(std::move(put));
      }
      out["fixes"].push_back(std::move(mended));
    }
    list.push_back(std::move(out));
  }
  ordered_json document{
      {"diagnostics", std::move(list)}, {"errors", errors}, {"warnings", diagnostics.size() - errors}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ascribe
