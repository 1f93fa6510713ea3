// What the page of a pack holds.
#include "interpreter/pack/page.hpp"

#include "tests/catch.hpp"
#include "tests/folder.hpp"

using namespace ascribe;

namespace {

std::vector<std::string> names_in(const Page& page, const std::string& section) {
  std::vector<std::string> out;
  for (auto& each : page.sections)
    if (each.title == section)
      for (auto& definition : each.definitions) out.push_back(definition.name);
  return out;
}

}  // namespace

TEST_CASE("private definitions that public ones use are on the page, the others are not") {
  test::Folder folder;
  folder.file("pack.rule", "pack acme { version = \"1.0.0\"; language = 2 }\n");
  folder.file("rules.rule",
              "rule soft { map = R / stabilize(_part(y), 0.1) }  # _in_a_comment\n"
              "composite all { any => _plain }\n");
  folder.file("inner.rule",
              "## Half of the half.\n"
              "fn _part(z) = z * _half()\n"
              "fn _half() = 0.5\n"
              "fn _unused(z) = z\n"
              "fn _used_by_unused() = _unused(1)\n"
              "fn _in_a_comment() = 1\n"
              "rule _plain { map = R }\n");
  auto page = make_page("acme", "", {{Pack::load(folder.path), folder.path}});
  CHECK(names_in(page, "Rules") == std::vector<std::string>{"soft"});
  CHECK(names_in(page, "Functions").empty());
  CHECK(names_in(page, "Private definitions") == std::vector<std::string>{"_part", "_half", "_plain"});
  CHECK(page.sections.back().definitions.front().documentation.description == "Half of the half.");
  for (auto& text : {markdown(page), html(page)}) {
    CHECK(text.find("fn _half() = 0.5") != std::string::npos);
    CHECK(text.find("_unused") == std::string::npos);
  }
}
