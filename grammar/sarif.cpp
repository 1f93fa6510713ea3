#include "grammar/sarif.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe {
namespace {

using nlohmann::ordered_json;

// A path as a URI reference (RFC 3986): everything is encoded but what stands for itself everywhere.
std::string uri(std::string_view path) {
  std::string out = path.starts_with('/') ? "file://" : "";
  for (unsigned char byte : path) {
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                 std::string_view("-._~/").find(static_cast<char>(byte)) != std::string_view::npos;
    out += plain ? std::string(1, static_cast<char>(byte)) : filled("%{:02X}", byte);
  }
  return out;
}

ordered_json location(const Label& label) {
  auto begin = label.source->position(label.span.begin);
  auto end = label.source->position(std::max(label.span.begin, label.span.end));
  return {{"physicalLocation",
           {{"artifactLocation", {{"uri", uri(label.source->name())}}},
            {"region",
             {{"startLine", begin.line},
              {"startColumn", begin.column},
              {"endLine", end.line},
              {"endColumn", end.column}}}}}};
}

ordered_json rules() {
  auto out = ordered_json::array();
  for (auto& page : explanations()) {
    auto example = [](const Example& each) { return filled("```\n{}```\n", each.text); };
    auto failing = "This fails:\n\n" + example(page.failing), mended = "This is right:\n\n" + example(page.mended);
    out.push_back({{"id", code_name(page.code)},
                   {"shortDescription", {{"text", page.title}}},
                   {"fullDescription", {{"text", page.text}}},
                   {"help",
                    {{"text", filled("{}\n\nThis fails:\n\n{}\nThis is right:\n\n{}", page.text, page.failing.text,
                                     page.mended.text)},
                     {"markdown", filled("{}\n\n{}\n{}", page.text, failing, mended)}}}});
  }
  return out;
}

std::string message(const Diagnostic& diagnostic) {
  auto out = diagnostic.message;
  if (!diagnostic.note.empty()) out += "\nnote: " + diagnostic.note;
  if (!diagnostic.help.empty()) out += "\nhelp: " + diagnostic.help;
  return out;
}

}  // namespace

std::string render_sarif(const std::vector<Diagnostic>& diagnostics) {
  auto& pages = explanations();
  auto results = ordered_json::array();
  for (auto& diagnostic : diagnostics) {
    ordered_json out{{"ruleId", code_name(diagnostic.code)}};
    auto page = std::find_if(pages.begin(), pages.end(), [&](auto& each) { return each.code == diagnostic.code; });
    if (page != pages.end()) out["ruleIndex"] = page - pages.begin();
    out["level"] = diagnostic.severity == Severity::error ? "error" : "warning";
    out["message"] = {{"text", message(diagnostic)}};
    if (diagnostic.primary.source) {
      out["locations"] = ordered_json::array({location(diagnostic.primary)});
      if (!diagnostic.primary.text.empty()) out["locations"][0]["message"] = {{"text", diagnostic.primary.text}};
    }
    auto related = ordered_json::array();
    for (auto& label : diagnostic.others) {
      if (!label.source) continue;
      related.push_back(location(label));
      if (!label.text.empty()) related.back()["message"] = {{"text", label.text}};
    }
    if (!related.empty()) out["relatedLocations"] = std::move(related);
    auto fixes = ordered_json::array();
    for (auto& fix : diagnostic.fixes) {
      if (!diagnostic.primary.source) continue;
      auto replacements = ordered_json::array();
      for (auto& edit : fix.edits)
        replacements.push_back(
            {{"deletedRegion", location({diagnostic.primary.source, edit.span, ""})["physicalLocation"]["region"]},
             {"insertedContent", {{"text", edit.text}}}});
      fixes.push_back({{"description", {{"text", fix.title}}},
                       {"artifactChanges",
                        ordered_json::array({{{"artifactLocation", {{"uri", uri(diagnostic.primary.source->name())}}},
                                              {"replacements", std::move(replacements)}}})}});
    }
    if (!fixes.empty()) out["fixes"] = std::move(fixes);
    results.push_back(std::move(out));
  }
  ordered_json log;
  log["version"] = "2.1.0";
  ordered_json run{{"tool", {{"driver", {{"name", "ascribe"}, {"version", ASCRIBE_VERSION}, {"rules", rules()}}}}},
                   {"columnKind", "unicodeCodePoints"},
                   {"results", std::move(results)}};
  log["runs"] = ordered_json::array({std::move(run)});
  return log.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ascribe
