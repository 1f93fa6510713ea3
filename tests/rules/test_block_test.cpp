// Test blocks as data: those of blocks/ hold, or fail as the lines of failing.rule say.
#include <ATen/ATen.h>

#include <filesystem>

#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/testing/runner.hpp"
#include "tests/catch.hpp"
#include "tests/expected_messages.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;

std::filesystem::path blocks(const std::string& name) {
  return std::filesystem::path(ASCRIBE_EXAMPLES "/../tests/rules/blocks") / name;
}

std::string failures(const Pack& pack) {
  std::string out;
  for (auto& test : Inside::definitions(pack).tests) {
    auto result = testing::run(test);
    if (!result.failures.empty()) out += test->name + "\n" + render_text(result.failures);
  }
  return out;
}

std::string failures(const std::string& text) { return failures(Pack::parse(text)); }

}  // namespace

TEST_CASE("what a test block expects and gets, holds") {
  for (auto* name : {"holding.rule", "layers.rule"}) {
    auto pack = Pack::load(blocks(name));
    CHECK(Inside::definitions(pack).tests.size() >= 10);
    CHECK(failures(pack) == "");
  }
}

TEST_CASE("every layer that a test can build is built in one") {
  auto text = test::bytes_of(blocks("layers.rule"));
  for (auto& layer : language::buildable_layers()) {
    INFO(layer.name);
    CHECK(text.find("test \"" + std::string(layer.name)) != std::string::npos);
    bool several = layer.name == "attention" || layer.name == "lstm" || layer.name == "gru";
    CHECK((several || layer.name == "flatten" || language::find_kind(layer.name)));
  }
}

TEST_CASE("a failing expectation says what, where and why") {
  auto path = blocks("failing.rule");
  auto pack = Pack::load(path);
  std::vector<std::string> found;
  for (auto& each : Inside::definitions(pack).tests)
    for (auto& diagnostic : testing::run(each).failures) found.push_back(test::shown_message(diagnostic));
  CHECK(found == test::expected_messages(test::bytes_of(path)));
}

TEST_CASE("a failure shows both sides, the largest difference and where it is") {
  auto text = failures("test \"t\" { model = relu; x = [[1, 2], [3, 4]]; expect y == [[1, 2], [3, 9]] within 0.1 }");
  CHECK_THAT(text, Catch::Contains("left [[1, 2], [3, 4]], right [[1, 2], [3, 9]]"));
  text = failures("test \"t\" { model = relu; x = [[1, 2], [3, 4]]; expect y == [[1, 2], [3, 99]] within 0.1 }");
  CHECK_THAT(text, Catch::Contains("they differ most at [1, 1]: 4 and 99; the largest difference is 95"));
  text = failures("test \"t\" { model = relu; x = random(4, 30); expect x == 2 * x }");
  CHECK_THAT(text, Catch::Contains("left a tensor of shape [4, 30] from -"));
}

TEST_CASE("a mistake inside a rule is shown where it is and which test met it") {
  auto text = failures(
      "rule strict { require has(\"bias\"), \"no bias\"; map = R }\n"
      "test \"t\" { model = linear(weight = [[1]]); x = [[1]]; expect relevance(strict) == 1 }");
  CHECK_THAT(text, Catch::Contains("layer '0' (linear), rule `strict`: no bias"));
  CHECK_THAT(text, Catch::Contains("text:1:23"));
  CHECK_THAT(text, Catch::Contains("met by this test"));
}

TEST_CASE("tests are run alike each time") {
  auto pack = Pack::parse("test \"t\" { model = linear(3, 2, seed = 1); x = random(2, 3); expect y == 0 }");
  CHECK(failures(pack) == failures(pack));
}
