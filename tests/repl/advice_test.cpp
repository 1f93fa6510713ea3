// Help that knows the session: what it says to enter can be entered.
#include "grammar/filled_text.hpp"
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

TEST_CASE("what Python, notebooks and shells have is answered by what a session has") {
  struct Case {
    const char *input, *works;
  };
  for (auto& [input, works] : std::initializer_list<Case>{
           {"del x", ":reset x"},
           {"%reset", ":reset"},
           {"def f(x)", "fn f(z) = 2 * z"},
           {"def g(a, y): return a * y", "fn g(a, z) = a * z"},
           {"g = lambda a, b: a + b", "fn g(a, b) = a + b"},
           {"shape(x)", "x"},
           {"len(x)", "x"},
           {"x.shape", "x"},
           {"x.shape[0]", "x"},
           {"x.size(0)", "x"},
           {"x.sum()", "sum(x)"},
           {"x.max()", "quantile(x, 1)"},
           {"relevance(zplus).sum()", "sum(relevance(zplus))"},
           {"print(x)", "x"},
           {"print(\"hello\")", "# \"hello\""},
           {"return x", "x"},
           {"assert x == x", "x == x"},
           {"%time x", ":time x"},
           {"%timeit relevance(zplus)", ":time relevance(zplus)"},
           {"type(x)", ":type x"},
           {"whos", ":type"},
           {"dir()", ":type"},
           {"exit", ":quit"},
           {"quit()", ":quit"},
           {":exit", ":quit"},
           {"help()", ":help"},
           {"help(zplus)", ":help zplus"},
           {":?", ":help"},
           {"??zplus", ":help zplus"},
           {"history", ":help editing"},
           {"import numpy as np", ":help functions"},
           {"from torch import nn", ":help functions"},
           {"torch.randn(2, 3)", "random(2, 3, seed = 1)"},
           {"np.zeros((2, 3))", "0 * random(2, 3, seed = 1)"},
           {"tensor([1, 2])", "[1, 2]"},
           {"1, 2", "[1, 2]"},
           {"nn.Sequential(nn.Linear(2, 3), nn.ReLU())", "[linear(3, 2), relu]"},
           {"linear(2, 3) + 1", "[linear(3, 2), relu]"},
           {"layer(x)", "y"},
           {"layer.forward(x)", "y"},
           {"second(2 * x)", "model = second; x = 2 * x; y"},
           {"layer.weight", ":layers"},
           {"y.argmax()", "R"},
           {"y.backward()", "relevance(epsilon_plus)"},
           {"lrp(zplus)", "relevance(zplus)"},
           {"heatmap(zplus)", "explain(zplus)"},
           {"explain", "explain(epsilon_plus)"},
           {":explain zplus", "explain(zplus)"},
           {"layers", ":layers"},
           {"zplus(x)", "relevance(zplus)"},
           {"\"zplus\"", "relevance(zplus)"},
           {"relevance(zplus, 2)", "relevance(zplus, target = 2)"},
           {"relevance(zplus, x)", "relevance(zplus, x = x)"},
           {"relevance(x, zplus)", "relevance(zplus, x = x)"},
           {"explain(zplus, layer)", "explain(layer, zplus)"},
           {"explain(zplus, gamma)", "compare(zplus, gamma)"},
           {"relevance(zplus) target=2", "relevance(zplus, target=2)"},
           {"explain(layer, zplus, 2)", "explain(layer, zplus, target = 2)"},
           {"layer.layers", ":layers"},
           {"layer.summary()", ":model"},
           {"set target 3", ":help"},
           {"relevance(foo)", ":rules"},
           {"foo.bar(x)", ":help definitions"},
           {"x.T", "abs(x)"},
           {"unheard(x)", ":help functions"},
       }) {
    INFO(input);
    Entering enter;
    enter("x = random(2, 2, seed = 1); second = relu; layer = linear(2, 3, seed = 1)");
    auto answer = enter(input);
    REQUIRE(answer.failed);
    INFO(help_of(answer));
    if (quoted_in(help_of(answer)) != works) CHECK(help_of(answer).find(filled("`{}`", works)) != std::string::npos);
    auto mended = enter(works);
    CHECK(mistake(mended) == "no mistake: " + mended.text);
  }
}

TEST_CASE("a picture or array of another format is written as one that there is") {
  Folder folder;
  Entering enter;
  enter("x = random(1, 1, 4, 4, seed = 1)");
  for (auto& [given, written] : std::initializer_list<std::pair<const char*, const char*>>{
           {"a.jpg", "a.png"}, {"a.JPEG", "a.png"}, {"a.pdf", "a.svg"}, {"a.pt", "a.npy"}, {"a", "a.npy"}}) {
    INFO(given);
    auto help = help_of(enter(":write " + (folder / given).string() + " x"));
    CHECK(quoted_in(help) == ":write " + (folder / written).string() + " x");
    CHECK(!enter(quoted_in(help)).failed);
    CHECK(quoted_in(help_of(Entering()(":write " + (folder / given).string()))).ends_with(" x"));
  }
}

TEST_CASE("a target is told in the words of sessions") {
  Folder folder;
  auto labels = folder.file("names.txt", "ant\nbee\ncat\n").string();
  Entering enter;
  enter("x = random(2, 2, seed = 1); layer = linear(2, 3, seed = 1)");
  CHECK(help_of(enter("relevance(zplus, target = \"top99\")")) == "write `target = \"top3\"`");
  CHECK(help_of(enter("relevance(zplus, target = all)")) == "write `target = \"all\"`");
  CHECK_THAT(help_of(enter("relevance(zplus, target = bee)")), Contains("`target = 0`") && Contains(":help labels"));
  enter(":labels " + labels);
  CHECK(help_of(enter("relevance(zplus, target = bee)")) == "write `target = \"bee\"`");
  CHECK(help_of(enter("relevance(zplus, against = [bee])")) == "write `against = \"bee\"`");
  CHECK(help_of(enter("relevance(zplus, target = bea)")) == "did you mean `bee`?");
  enter("k = 1");
  CHECK(!enter("relevance(zplus, target = k)").failed);
}

TEST_CASE("arguments by the names of other libraries are known") {
  Entering enter;
  enter("x = random(2, 2, seed = 1); layer = linear(2, 3, seed = 1)");
  CHECK(help_of(enter("explain(zplus, cmap = \"jet\")")) == "did you mean `colour_map`?");
  CHECK(help_of(enter("explain(zplus, class = 2)")) == "did you mean `target`?");
  CHECK_THAT(help_of(enter("explain(zplus, quite_another = 2)")), Contains("it has: target, against, position"));
  CHECK_THAT(help_of(enter("x = [[1, 2]]; x[1]")), Contains("`[:, 1]` is of the next dimension"));
}

TEST_CASE("words of a definition keep the help that they have in a file") {
  Entering enter;
  CHECK_THAT(help_of(enter("fn f(z) = len(z)")), Contains("define it"));
  CHECK_THAT(help_of(enter("rule r { map = print(x) }")), Contains("define it"));
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
