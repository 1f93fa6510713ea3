// The tests in the language reference and the README, and the one of the language's description: what they expect
// holds.
#include <ATen/ATen.h>

#include <regex>

#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/testing/runner.hpp"
#include "tests/catch.hpp"
#include "tests/documentation.hpp"

namespace {

using namespace ascribe;

// How many tests a rule file has; all of them hold.
std::size_t hold(const std::string& text, const std::string& place) {
  auto pack = Pack::parse(text, place);
  for (auto& each : Inside::definitions(pack).tests) CHECK(render_text(testing::run(each).failures) == "");
  return Inside::definitions(pack).tests.size();
}

const std::filesystem::path root = std::filesystem::path(ASCRIBE_EXAMPLES) / "..";

}  // namespace

TEST_CASE("what the tests in the documentation expect, holds") {
  std::size_t count = 0;
  for (auto* page : {"grammar/README.md", "README.md"})
    for (auto& block : test::blocks_of(root, page))
      if (block.mark == "rule") count += hold(block.text, block.place);
  CHECK(count >= 8);
}

TEST_CASE("the standard pack's tests hold, and each of its definitions is in one") {
  auto& definitions = Inside::definitions(Pack::standard());
  std::string texts;
  for (auto& each : definitions.tests) {
    CHECK(render_text(testing::run(each).failures) == "");
    texts += each->place.source->text(each->place.span);
  }
  auto check = [&](const std::string& name) {
    INFO(name);
    CHECK(std::regex_search(texts, std::regex("\\b" + name + "\\b")));
  };
  for (auto& [name, target] : definitions.targets) check(name);
  for (auto& [name, function] : definitions.functions) check(name);
}

TEST_CASE("what the test of the language's description expects, holds") {
  std::string guide = "tests/language/valid/language_guide.rule";
  CHECK(hold(test::bytes_of(root / guide), guide) == 1);
}
