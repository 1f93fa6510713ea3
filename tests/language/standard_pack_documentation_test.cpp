// The standard pack's doc comments: nothing is missing, and the examples are sound.
#include <fmt/format.h>

#include <algorithm>

#include "interpreter/pack/page.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;
using language::DocLabel;

// Of these, nobody has to be named as the source: what they do is what the language does anyway, or what other
// definitions of the pack do.
constexpr std::string_view without_source[] = {"gradient", "pass", "norm", "base"};

bool is_listed(const auto& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

TEST_CASE("every definition of the standard pack says what it does, its formula, its source, its use and its example") {
  std::size_t count = 0;
  for (auto& section : standard_page().sections)
    for (auto& definition : section.definitions) {
      ++count;
      INFO(definition.name << ", in stdlib/" << definition.file);
      auto& documentation = definition.documentation;
      auto has = [&](DocLabel label) { return !documentation.texts(label).empty(); };
      CHECK(documentation.description.ends_with('.'));
      CHECK(has(DocLabel::formula) == (section.title != "Composites"));
      if (section.title != "Functions") CHECK(has(DocLabel::source) != is_listed(without_source, definition.name));
      CHECK(has(DocLabel::use));
      // Entries of a composite assume what their rules do.
      if (section.title != "Composites") CHECK(has(DocLabel::assumes));
      CHECK(has(DocLabel::example));
      for (auto label : {DocLabel::formula, DocLabel::source, DocLabel::use, DocLabel::assumes})
        CHECK(documentation.texts(label).size() <= 1);
    }
  CHECK(count >= 27);
}

TEST_CASE("the examples of the standard pack are entries or clauses that hold, and show what they stand at") {
  for (auto& section : standard_page().sections)
    for (auto& definition : section.definitions)
      for (auto example : definition.documentation.texts(DocLabel::example)) {
        INFO(definition.name << ", in stdlib/" << definition.file << ": " << example);
        CHECK(example.find(definition.name) != example.npos);
        std::vector<Diagnostic> found;
        try {
          auto word = example.find("=>") == example.npos ? "rule" : "composite";
          found = Pack::parse(fmt::format("{} example {{\n  {}\n}}\n", word, example), "example").warnings();
        } catch (const Error& error) {
          found = error.diagnostics();
        }
        INFO(render_text(found));
        CHECK(found.empty());
      }
}
