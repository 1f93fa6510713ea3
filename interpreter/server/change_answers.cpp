// Answers that change a document: formatting, and what mends it.
#include <algorithm>

#include "grammar/fixes.hpp"
#include "grammar/formatter.hpp"
#include "interpreter/server/answering.hpp"

namespace ascribe::server {

namespace {

std::string canonical(const About& in) {
  for (auto& each : in.project().diagnostics)  // what is written there may mean something else
    if (each.code == Code::newer_language) throw Refusal{request_failed, each.message};
  std::vector<Diagnostic> mistakes;
  auto out = format_source(in.page()->source, mistakes);
  if (!out) throw Refusal{request_failed, mistakes.empty() ? "the text cannot be formatted" : mistakes.front().message};
  return *out;
}

// What changes, without what is the same before and behind it.
std::vector<Edit> shortest(std::string_view before, std::string_view after, std::size_t from = 0) {
  if (before == after) return {};
  auto begin = static_cast<std::size_t>(std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first -
                                        before.begin());
  while (begin > 0 && (static_cast<unsigned char>(before[begin - 1]) >= 0x80 || before[begin - 1] == '\r')) --begin;
  auto b = before.substr(begin), a = after.substr(begin);
  auto same = static_cast<std::size_t>(std::mismatch(b.rbegin(), b.rend(), a.rbegin(), a.rend()).first - b.rbegin());
  while (same > 0 && (static_cast<unsigned char>(b[b.size() - same]) >= 0x80 || b[b.size() - same] == '\n')) --same;
  return {{{from + begin, from + before.size() - same}, std::string(a.substr(0, a.size() - same))}};
}

}  // namespace

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
    for (auto& each :
         shortest(in.page()->text(old), std::string_view(text).substr(now.begin, now.end - now.begin), old.begin))
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
  for (auto* each : diagnostics_of(in.project(), *in.page())) {
    if (each->primary.source != in.page()->source) continue;
    bool here = each->primary.span.begin <= within.end && within.begin <= each->primary.span.end;
    for (auto& fix : each->fixes) {
      if (!here || !wanted("quickfix")) continue;
      out.push_back({{"title", fix.title},
                     {"kind", "quickfix"},
                     {"diagnostics", Json::array({diagnostic(*each, in.lines, asked.workspace, asked.client)})},
                     {"isPreferred", fix.sure},
                     {"edit", workspace_edit(asked, {{in.uri, edits(fix.edits, in.lines)}})}});
    }
  }
  auto sure = sure_edits(in.project().diagnostics, *in.page()->source);
  if (!sure.empty() && wanted("source.fixAll"))
    out.push_back({{"title", "Mend whatever is sure"},
                   {"kind", "source.fixAll"},
                   {"edit", workspace_edit(asked, {{in.uri, edits(sure, in.lines)}})}});
  return out;
}

}  // namespace ascribe::server
