// Any text, and edits of it: everything that an editor asks is answered, with places inside the text; a message's fix
// can be made; what the language server counts as a place is one.
#include "grammar/fixes.hpp"
#include "interpreter/assist/completion.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/assist/rename.hpp"
#include "interpreter/assist/structure.hpp"
#include "interpreter/assist/types.hpp"
#include "interpreter/server/positions.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;
using namespace ascribe::assist;

namespace {

void ask(const std::string& text, std::size_t offset) {
  auto project = text_project("fuzz.rule", text);
  auto& page = project->own.front();
  auto inside = [&](Span span, std::string_view what) {
    fuzz::require(span.begin <= span.end && span.end <= text.size(), "an answer's place lies in the text", what);
  };
  fuzz::check_diagnostics(project->diagnostics);
  for (auto& each : project->diagnostics)
    for (auto& fix : each.fixes) {
      fuzz::require(!fix.title.empty() && !fix.edits.empty(), "a fix says what it does");
      for (auto& edit : fix.edits) inside(edit.span, "a fix");
      edited(text, fix.edits);
    }
  auto found = complete(*project, page, offset);
  inside(found.replaces, "a completion");
  fuzz::require(found.replaces.end == offset, "a completion ends at the cursor");
  if (auto told = hover(*project, page, offset)) inside(told->span, "a hover");
  if (auto told = signature_help(*project, page, offset))
    for (auto& each : told->parameters) fuzz::require(each.end <= told->label.size(), "a parameter lies in its label");
  std::size_t from = 0;
  for (auto& each : colours(*project, page)) {
    inside(each.span, "a colour");
    fuzz::require(from <= each.span.begin, "colours stand apart and in order");
    from = each.span.end;
  }
  auto around = enclosing(*page, offset);
  for (std::size_t i = 0; i < around.size(); ++i) {
    inside(around[i], "what encloses");
    if (i > 0)
      fuzz::require(around[i].begin <= around[i - 1].begin && around[i - 1].end <= around[i].end,
                    "what encloses holds what is inside");
  }
  for (auto& each : folds(*page)) inside(each.span, "a fold");
  for (auto& each : listed_symbols(*page)) {
    inside(each.span, "a symbol");
    fuzz::require(each.span.begin <= each.name_span.begin && each.name_span.end <= each.span.end,
                  "a symbol's name lies in it");
  }
  for (auto& each : hints(*project, page, {0, text.size()}))
    fuzz::require(each.offset <= text.size(), "a hint lies in the text");
  try {
    for (auto& [identity, edits] : rename(*project, page, offset, "fresh"))
      for (auto& each : edits) inside(each.span, "a renaming");
  } catch (const Error&) {
    // Refused with a reason.
  }
  for (auto encoding : {server::Encoding::utf8, server::Encoding::utf16}) {
    server::Lines lines(text, encoding);
    auto back = lines.offset(lines.position(offset));
    fuzz::require(back <= offset && offset - back < 4, "a place is found again", std::to_string(offset));
    fuzz::require(lines.offset(offset, offset) <= text.size(), "any place lies in the text");
  }
}

}  // namespace

// The first bytes say where the cursor is, and where a piece of the text is put once more.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (text.empty()) {
    ask(text, 0);
    return 0;
  }
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i % text.size()]); };
  auto offset = (byte(0) * 256U + byte(text.size() / 2)) % (text.size() + 1);
  ask(text, offset);
  auto begin = byte(1) * 7U % (text.size() + 1);
  auto end = std::min<std::size_t>(text.size(), begin + byte(2) % 64U);
  auto changed = edited(text, {{{begin, end}, text.substr(0, byte(3) % 32U)}});
  ask(changed, std::min(offset, changed.size()));
  return 0;
}
