// Help that knows the session: what it says to enter can be entered.
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::Contains;
using test::Entering;
using test::Folder;
using test::mistake;

namespace {

const std::string digits = ASCRIBE_EXAMPLES "/digits/";

std::string help_of(const repl::Answer& answer) { return answer.messages.empty() ? "" : answer.messages.front().help; }

// What stands first between backticks.
std::string quoted_in(const std::string& help) {
  auto begin = help.find('`') + 1, end = help.find('`', begin);
  return begin == 0 || end == std::string::npos ? "" : help.substr(begin, end - begin);
}

}  // namespace

TEST_CASE("what a help line says to write works") {
  Folder folder;
  std::filesystem::create_directories(folder / "acme");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }\nrule softest { backward = R }\n");
  struct Case {
    const char *input, *works;
  };
  auto [input, works] = GENERATE(values<Case>({
      {"explain zplus", "explain(zplus)"},
      {"explain zplus, target = 3", "explain(zplus, target = 3)"},
      {"compare zplus gamma epsilon", "compare(zplus, gamma, epsilon)"},
      {"relevance zplus", "relevance(zplus)"},
      {"zplus?", ":help zplus"},
      {"?zplus", ":help zplus"},
      {"help zplus", ":help zplus"},
      {"help", ":help"},
      {"rules eps", ":rules eps"},
      {"zplus", "relevance(zplus)"},
      {"zplsu", "zplus"},
      {"relevance(zplsu)", "zplus"},
      {"explan(zplus)", "explain"},
      {"modle", "model"},
      {"relevance(softest)", "import \"acme\" as acme"},
      {"softest", "import \"acme\" as acme"},
      {"explain(zplus, targt = 3)", "target"},
      {":labls x", ":labels"},
      {"let z = x", "z = x"},
      {"x += 1", "x = x + 1"},
      {"x*=2", "x = x * 2"},
  }));
  INFO(input);
  Entering enter({.loading = {.path = {folder.path}}});
  enter("model = load(\"" + digits + "model.pt\"); x = load(\"" + digits + "three.npy\")");
  auto answer = enter(input);
  REQUIRE(answer.failed);
  INFO(help_of(answer));
  auto written = quoted_in(help_of(answer));
  REQUIRE(written == works);
  bool is_a_word = written.find_first_of("( :") == std::string::npos;
  auto again = std::string(input);
  if (is_a_word) {  // it takes the place of what was wrong
    auto span = answer.messages.front().primary.span;
    again.replace(span.begin, span.end - span.begin, written);
  }
  auto mended = enter(is_a_word ? again : written);
  INFO(mistake(mended));
  CHECK((!mended.failed || mistake(mended).find(" is a rule, not a value") != std::string::npos));
}

TEST_CASE("a file's name is a string, and the help shows it as one") {
  Folder folder;
  Entering enter;
  for (std::string input : {"load three.npy", "load(three.npy)"}) {
    auto answer = enter(input);
    CHECK(quoted_in(help_of(answer)) == "load(\"three.npy\")");
  }
  CHECK_THAT(help_of(enter("load mine.rule")), Contains(":load mine.rule"));
  CHECK_THAT(mistake(enter("load(\"d.jpg\")")), Contains("cannot read 'd.jpg': no such file"));
}

TEST_CASE("a name that means nothing has what is in reach as its help") {
  Entering enter;
  enter("photograph = [[1, 2]]; rule my_own { backward = R }");
  CHECK(help_of(enter("photograp")) == "did you mean `photograph`?");
  CHECK_THAT(help_of(enter("my_owm")), Contains("`my_own`"));
  CHECK(help_of(enter("quantle")) == "did you mean `quantile`?");
  CHECK(help_of(Entering()("_")) == "nothing was printed yet: `_` is the value that was printed last");
  CHECK_THAT(help_of(enter("q")), Contains("photograph, x, y, R") && Contains(":rules"));
}

TEST_CASE("a rule of a pack that was imported is called by the pack's name") {
  Folder folder;
  std::filesystem::create_directories(folder / "acme");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }\nrule softest { backward = R }\n");
  std::filesystem::create_directories(folder / "broken");
  folder.file("broken/pack.rule", "pack broken {");
  Entering enter({.loading = {.path = {folder.path}}});
  enter("layer = relu; x = [[1]]; import \"acme\" as a");
  CHECK_THAT(help_of(enter("relevance(softest)")), Contains("`a.softest`"));
  CHECK(!enter("relevance(a.softest)").failed);
}
