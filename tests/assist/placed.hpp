// Texts with a cursor in them, and what assist says there.
#pragma once

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "interpreter/assist/completion.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/assist/rename.hpp"
#include "interpreter/assist/structure.hpp"
#include "interpreter/assist/types.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace test {
using namespace ascribe;
using namespace ascribe::assist;

/// A text in which `|` is the cursor, as a project of its own.
struct Placed {
  explicit Placed(std::string text) {
    offset = text.find('|');
    if (offset == std::string::npos) throw std::logic_error("no cursor");
    text.erase(offset, 1);
    project = text_project("text.rule", std::move(text));
    page = project->own.front();
  }
  std::size_t offset;
  ProjectPointer project;
  PagePointer page;
};

inline std::vector<std::string> texts(const Completion& completion) {
  std::vector<std::string> out;
  for (auto& each : completion.offers) out.push_back(each.text);
  return out;
}
inline std::vector<std::string> offered(const std::string& text) {
  Placed at(text);
  return texts(complete(*at.project, at.page, at.offset));
}
inline bool contains(const std::vector<std::string>& all, const std::string& wanted) {
  return std::find(all.begin(), all.end(), wanted) != all.end();
}
inline std::string hovered(const std::string& text) {
  Placed at(text);
  auto found = hover(*at.project, at.page, at.offset);
  return found ? found->text : "";
}
/// The text of the definition of what is at the cursor, with its line: "1 zplus".
inline std::string defined(const std::string& text) {
  Placed at(text);
  auto symbol = symbol_at(*at.project, at.page, at.offset);
  if (!symbol) return "nothing";
  auto found = definition(*at.project, at.page, *symbol);
  if (!found) return "of the language";
  auto where = found->page->source->position(found->span.begin);
  return std::string(found->page->identity == at.page->identity ? "" : found->page->identity + ":") +
         std::to_string(where.line) + ":" + std::to_string(where.column) + " " +
         std::string(found->page->text(found->span));
}
/// The text with what is at the cursor renamed, or the reason why not.
inline std::string renamed(const std::string& text, const std::string& name) {
  Placed at(text);
  try {
    auto edits = rename(*at.project, at.page, at.offset, name);
    return edited(at.page->source->text(), edits[at.page->identity]);
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  }
}

/// All rule files of the standard pack and of the tests.
inline std::vector<std::filesystem::path> rule_files() {
  std::vector<std::filesystem::path> out;
  for (auto folder :
       {ASCRIBE_SOURCE "/stdlib", ASCRIBE_SOURCE "/tests/language/valid", ASCRIBE_SOURCE "/examples/seed"})
    for (auto& each : std::filesystem::directory_iterator(folder))
      if (each.path().extension() == ".rule") out.push_back(each.path());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace test
